// SessionStream: a client's stream to the daemon (the Session RPC). Many
// requests may be under way at once, with no thread for each: a thread that
// waits for its answer reads the stream itself, for all that wait, and whoever
// is left takes its turn. A thread of the stream's own reads it while nobody
// waits, so that the daemon's notices arrive.
//
// Releases are not waited for: they ride along with the next request, or go out
// by themselves within kGatherFor.
//
// The stream is opened by the first call, and again by the first after it was
// lost. Thread-safe; no lock is held over a call into gRPC or a callback.
#ifndef WARMPOOL_CLIENT_RPC_SESSION_STREAM_H_
#define WARMPOOL_CLIENT_RPC_SESSION_STREAM_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/rpc/outgoing_requests.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class SessionStream {
 public:
  using Stub = v1::MemoryPool::StubInterface;

  struct Options {
    // How long a thread that waits for an answer asks the kernel again and
    // again before it sleeps: waking up costs more than the answer takes. Zero:
    // not at all.
    absl::Duration busy_poll = absl::ZeroDuration();
    // A notice of the daemon's. Must not take long: answers wait meanwhile.
    std::function<void(const v1::SessionResponse& notice)> on_notice;
    // The stream was lost or could not be opened. Requests under way have
    // failed; releases may not have arrived.
    std::function<void()> on_lost;
  };

  // How long a release waits for a request to ride along with, while requests
  // come; without traffic it goes out at once.
  static constexpr absl::Duration kGatherFor = absl::Milliseconds(1);
  // More of them go out at once.
  static constexpr size_t kMaxGathered = 64;
  // How long Close waits for the daemon to take what was sent.
  static constexpr absl::Duration kCloseWithin = absl::Seconds(1);

  // What the stream is opened over; be it lost, and then the stream is, too.
  using StubFunction = std::function<std::shared_ptr<Stub>()>;

  // `clock`, the monotonic one, must outlive this.
  SessionStream(StubFunction stub, const Clock* clock, Options options);
  // Closes.
  ~SessionStream();

  // Gets the thread of its own for the first of the calls below.
  // RESOURCE_EXHAUSTED, naming the limit: there is none; they abort then.
  absl::Status Prepare();

  // Sends `request`, whose tag is filled in here, and waits for its reply.
  // UNAVAILABLE: the stream was lost, or can't be opened; DEADLINE_EXCEEDED: no
  // reply before `deadline`; others: what the daemon says of the whole stream.
  grpc::Status Ask(v1::SessionRequest request, absl::Time deadline,
                   v1::SessionReply* reply);

  // Ends leases, some time soon. Should the stream be lost before, on_lost is
  // called after this.
  void Release(std::vector<v1::LeaseRef> leases);
  // Tells what the lease cache holds. Only the last report counts; the next
  // stream begins with it.
  void Report(const v1::IdleReport& idle);

  // Opens the stream unless it is open.
  void Open();

  // Sends what is left to send and ends the stream, for good. No callback is
  // called afterwards. REQUIRES: no call is under way.
  void Close();

 private:
  struct Link;
  struct Step;
  struct Call {
    Link* link = nullptr;
    v1::SessionReply* reply = nullptr;
    grpc::Status status;
    bool done = false;
    // Signalled when it is done, and when its thread is to read the stream.
    CondVar changed;
  };

  void OpenLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the calls into gRPC that are due: opening, and the next write.
  // `flush`: what is gathered goes out though no request is waiting.
  void Pump(bool flush);
  // Waits for one event until `deadline` and does what follows from it. For
  // whoever has the turn.
  void PollOnce(absl::Time deadline);
  // Ends the turn: another's begins, if any waits.
  void EndTurnLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnStarted(Link* link, bool ok);
  void OnRead(Link* link, bool ok);
  void OnWritten(Link* link, bool ok);
  void OnFinished(Link* link);
  void Read(Link* link);
  // Reads, if that was put off.
  void ReadIfDue();
  void Finish(Link* link);
  // A step of the link came back; the link goes with its last.
  void EndStep(Link* link);
  void ReaderMain();
  // Says goodbye to the daemon, and waits until the stream is gone.
  void EndLinks();

  const StubFunction stub_;
  const Clock& clock_;
  const Options options_;
  grpc::CompletionQueue queue_;
  // Wakes whoever polls.
  grpc::Alarm alarm_;

  Mutex mutex_;
  // Signals the stream's own thread.
  CondVar reader_changed_;
  // Somebody polls the queue; only one may.
  bool polling_ ABSL_GUARDED_BY(mutex_) = false;
  // The stream's own thread waits for a change.
  bool reader_rests_ ABSL_GUARDED_BY(mutex_) = false;
  // It looks for gathered releases before it does anything else.
  bool reader_gathers_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time last_active_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // That in use, if any, is the last.
  std::vector<std::unique_ptr<Link>> links_ ABSL_GUARDED_BY(mutex_);
  Link* current_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t last_tag_ ABSL_GUARDED_BY(mutex_) = 0;
  // Waiting for their replies, by tag.
  absl::flat_hash_map<uint64_t, Call*> calls_ ABSL_GUARDED_BY(mutex_);
  OutgoingRequests outgoing_ ABSL_GUARDED_BY(mutex_);

  // Started with the first link.
  Thread reader_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_SESSION_STREAM_H_
