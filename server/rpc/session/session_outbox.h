// SessionOutbox: what a Session sends: answers, and the daemon's notices, in an
// order in which no client hears of a lease's end before its grant. It also
// knows when there is nothing left to send, and the call can finish.
//
// gRPC allows one write at a time; it is asked for under no lock, for it may be
// a system call. A client that does not read is bounded: the caller asks
// MayRead before it reads another request, and what is unread counts for the
// client's uid.
//
// Thread-safe.
#ifndef WARMPOOL_SERVER_RPC_SESSION_SESSION_OUTBOX_H_
#define WARMPOOL_SERVER_RPC_SESSION_SESSION_OUTBOX_H_

#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/clients/uid_accounts.h"

namespace warmpool {

class SessionOutbox {
 public:
  // Answers and notices that may wait; with more the Session is cancelled.
  static constexpr size_t kMaxWaiting = 16384;
  // With this many, or these bytes, or requests under way, no request is read.
  static constexpr size_t kMaxUnread = 64;
  static constexpr uint64_t kMaxUnreadBytes = 256 << 10;
  static constexpr size_t kMaxUnderWay = 16;

  // What the Session does with gRPC, under no lock.
  class Wire {
   public:
    // OnWritten follows.
    virtual void Write(const v1::SessionResponse& response) = 0;
    // Called once. No Write is under way in another thread, nor follows.
    virtual void Finish(const grpc::Status& status) = 0;
    // The call is to end soon; the Session calls Finish then.
    virtual void Cancel() = 0;

   protected:
    ~Wire() = default;
  };

  // What is pointed to must outlive this.
  SessionOutbox(Wire* wire, UidAccounts* accounts)
      : wire_(*wire), accounts_(*accounts) {}
  ~SessionOutbox();

  // Whose account counts. To be called before anything is sent.
  void SetUid(uid_t uid);

  // A request whose answer is being made: its number.
  uint64_t BeginRequest();
  // Sends the answer, if it has one by now, and the notices that waited for it.
  void EndRequest(uint64_t number, std::optional<v1::SessionResponse> answer);
  // An answer to no request that was begun.
  void SendAnswer(v1::SessionResponse answer);
  void SendNotice(const v1::SessionResponse& notice);
  // The write that was asked for last has been made, or not.
  void OnWritten(bool ok);

  // Requests that wait, and may be answered much later, keep the call open.
  void BeginWait();
  void EndWait();
  // The client has said its last: the call finishes once all is sent.
  void EndReads();
  // Finishes the call, whatever is left. Does nothing the second time.
  void Finish(const grpc::Status& status);

  bool finished() const;
  bool MayRead() const;

 private:
  struct Outgoing {
    v1::SessionResponse response;
    uint64_t bytes;
  };
  struct HeldNotice {
    // Goes out once all requests up to this have their answers.
    uint64_t after;
    Outgoing notice;
  };

  // False: the client has to be cut off.
  bool PushLocked(v1::SessionResponse response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Outgoing> ChargeLocked(v1::SessionResponse response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropAllLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishIfDoneLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does what is to be done with gRPC. After every change, without the lock.
  void Pump(bool cancel = false);

  Wire& wire_;
  UidAccounts& accounts_;
  // Set before anything is sent.
  uid_t uid_ = 0;

  mutable Mutex mutex_;
  // The front belongs to the write under way.
  std::deque<Outgoing> outgoing_ ABSL_GUARDED_BY(mutex_);
  uint64_t unread_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // From before wire_.Write until OnWritten.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Threads that are about to call wire_.Write, or within it.
  int in_write_ ABSL_GUARDED_BY(mutex_) = 0;
  // Requests are numbered as they come; those whose answers are being made.
  uint64_t last_request_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<uint64_t> under_way_ ABSL_GUARDED_BY(mutex_);
  std::deque<HeldNotice> held_notices_ ABSL_GUARDED_BY(mutex_);
  size_t waits_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // wire_.Finish has been or is being called.
  bool finish_begun_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_SESSION_SESSION_OUTBOX_H_
