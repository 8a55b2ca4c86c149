// AttachCalls: the requests to attach for which nobody sleeps: each waits at
// the daemon, and is called back on a thread of gRPC's. A thousand of them take
// no thread here, nor there.
//
// A call that loses the connection is made again, with the same request id,
// until its deadline. Thread-safe; no lock is held over a call into gRPC or a
// callback.
#ifndef WARMPOOL_CLIENT_RPC_ATTACH_CALLS_H_
#define WARMPOOL_CLIENT_RPC_ATTACH_CALLS_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/rpc/daemon_channel.h"
#include "client/rpc/daemon_link.h"
#include "core/base/mutex.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class AttachCalls {
 public:
  struct Outcome {
    absl::Status status;
    // If the status is OK.
    v1::AttachResponse response;
    // As in DaemonChannel::Effort.
    bool answered = false;
    bool lost = false;
  };
  // Called once for each, maybe before Start returns.
  using Done = std::function<void(Outcome outcome)>;

  // `channel` must outlive this. `on_lost` sees to it that the channel gets a
  // connection again; it must not wait.
  AttachCalls(DaemonChannel* channel, std::function<void()> on_lost)
      : channel_(*channel), on_lost_(std::move(on_lost)) {}
  ~AttachCalls() { Stop(); }

  // Waits as long as the request says, and for up to `deadline` more for the
  // daemon's answer. CANCELLED: it was stopped.
  void Start(v1::AttachRequest request, absl::Duration deadline, Done done);

  // Ends those that wait, and waits for callbacks under way; later ones end at
  // once. Not to be called by a callback.
  void Stop();

 private:
  struct Call;

  // Whether gRPC gets the threads that it starts for the link's first call.
  absl::Status CheckThreadsFor(const std::shared_ptr<DaemonLink>& link);
  // One try.
  void Try(std::shared_ptr<Call> call);
  void OnAnswered(const std::shared_ptr<Call>& call,
                  const grpc::Status& status);
  void Finish(const std::shared_ptr<Call>& call, const grpc::Status& status);

  DaemonChannel& channel_;
  const std::function<void()> on_lost_;

  Mutex mutex_;
  // Signalled when the last call has ended.
  CondVar ended_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // The last link that CheckThreadsFor found well. Compared only, by its owner:
  // the next link may have the same address.
  std::weak_ptr<DaemonLink> checked_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_ATTACH_CALLS_H_
