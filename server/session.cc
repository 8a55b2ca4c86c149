#include "server/session.h"

#include <deque>
#include <utility>
#include <vector>

namespace warmpool {

// gRPC allows one read and one write at a time. Answers and notices queue up
// behind the write under way; the next request is read once the answers that
// wait are few, so that a client that does not read can't fill our memory.
class SessionReactor final
    : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  SessionReactor(HolderId holder, SessionHub* hub, Handlers* handlers)
      : holder_(holder), hub_(*hub), handlers_(*handlers) {
    hub_.Add(holder_, this);
    StartRead(&request_);
  }

  // Queues a notice; behind the answer that is being made, if one is: a lease
  // may end before its grant is on the way, and its holder must not hear of
  // the end first.
  void SendNotice(v1::SessionResponse notice) {
    MutexLock lock(&mutex_);
    if (answering_) {
      held_notices_.push_back(std::move(notice));
    } else {
      SendLocked(std::move(notice));
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      MutexLock lock(&mutex_);
      reads_done_ = true;
      FinishIfIdleLocked();
      return;
    }
    {
      MutexLock lock(&mutex_);
      answering_ = true;
    }
    v1::SessionResponse response;
    *response.mutable_reply() = handlers_.Answer(holder_, request_);
    MutexLock lock(&mutex_);
    answering_ = false;
    SendLocked(std::move(response));
    for (v1::SessionResponse& notice : held_notices_) {
      SendLocked(std::move(notice));
    }
    held_notices_.clear();
    if (finished_) return;
    if (outgoing_.size() < kMaxOutgoing) {
      StartRead(&request_);
    } else {
      read_deferred_ = true;
    }
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    outgoing_.pop_front();
    if (finished_) return;
    if (!ok) outgoing_.clear();
    if (!outgoing_.empty()) StartWrite(&outgoing_.front());
    if (read_deferred_ && outgoing_.size() < kMaxOutgoing) {
      read_deferred_ = false;
      StartRead(&request_);
    }
    FinishIfIdleLocked();
  }

  void OnCancel() override {
    MutexLock lock(&mutex_);
    FinishLocked(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    hub_.Remove(holder_, this);
    delete this;
  }

 private:
  static constexpr size_t kMaxOutgoing = 64;

  void SendLocked(v1::SessionResponse response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    outgoing_.push_back(std::move(response));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  // The client has said its last and has all its answers.
  void FinishIfIdleLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (reads_done_ && outgoing_.empty()) FinishLocked(grpc::Status::OK);
  }

  void FinishLocked(const grpc::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  const HolderId holder_;
  SessionHub& hub_;
  Handlers& handlers_;
  // Belongs to the read under way.
  v1::SessionRequest request_;

  Mutex mutex_;
  // The front belongs to the write under way.
  std::deque<v1::SessionResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
  // A request is with the handlers; notices wait for its answer.
  bool answering_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<v1::SessionResponse> held_notices_ ABSL_GUARDED_BY(mutex_);
  bool read_deferred_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

void SessionHub::Notify(HolderId holder, const v1::SessionResponse& notice) {
  MutexLock lock(&mutex_);
  const auto it = sessions_.find(holder);
  if (it == sessions_.end()) return;
  for (SessionReactor* const session : it->second) session->SendNotice(notice);
}

void SessionHub::NotifyAll(const v1::SessionResponse& notice) {
  MutexLock lock(&mutex_);
  for (const auto& [holder, sessions] : sessions_) {
    for (SessionReactor* const session : sessions) session->SendNotice(notice);
  }
}

void SessionHub::Add(HolderId holder, SessionReactor* session) {
  MutexLock lock(&mutex_);
  sessions_[holder].insert(session);
}

void SessionHub::Remove(HolderId holder, SessionReactor* session) {
  MutexLock lock(&mutex_);
  const auto it = sessions_.find(holder);
  if (it == sessions_.end()) return;
  it->second.erase(session);
  if (it->second.empty()) sessions_.erase(it);
}

grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* ServeSession(
    HolderId holder, SessionHub* hub, Handlers* handlers) {
  return new SessionReactor(holder, hub, handlers);
}

}  // namespace warmpool
