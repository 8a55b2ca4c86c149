#include "server/rpc/session/session_outbox.h"

#include <utility>

namespace warmpool {
namespace {

// Whoever has less than this unread is not cut off, though his uid has too
// much.
constexpr uint64_t kSmallBytes = 4 << 10;

}  // namespace

SessionOutbox::~SessionOutbox() {
  MutexLock lock(&mutex_);
  DropAllLocked();
}

void SessionOutbox::SetUid(uid_t uid) { uid_ = uid; }

uint64_t SessionOutbox::BeginRequest() {
  MutexLock lock(&mutex_);
  under_way_.insert(++last_request_);
  return last_request_;
}

void SessionOutbox::EndRequest(uint64_t number,
                               std::optional<v1::SessionResponse> answer) {
  bool kept = true;
  {
    MutexLock lock(&mutex_);
    if (answer.has_value()) kept = PushLocked(*std::move(answer));
    under_way_.erase(number);
    while (!held_notices_.empty() &&
           (under_way_.empty() ||
            *under_way_.begin() > held_notices_.front().after)) {
      outgoing_.push_back(std::move(held_notices_.front().notice));
      held_notices_.pop_front();
    }
    FinishIfDoneLocked();
  }
  Pump(/*cancel=*/!kept);
}

void SessionOutbox::SendAnswer(v1::SessionResponse answer) {
  bool kept = true;
  {
    MutexLock lock(&mutex_);
    kept = PushLocked(std::move(answer));
  }
  Pump(/*cancel=*/!kept);
}

void SessionOutbox::SendNotice(const v1::SessionResponse& notice) {
  bool kept = true;
  {
    MutexLock lock(&mutex_);
    if (finished_) return;
    // A lease may end before its grant is on the way, and its holder must not
    // hear of the end first.
    if (!notice.has_revoked() || under_way_.empty()) {
      kept = PushLocked(notice);
    } else if (std::optional<Outgoing> held = ChargeLocked(notice)) {
      held_notices_.push_back({last_request_, *std::move(held)});
    } else {
      kept = false;
    }
  }
  Pump(/*cancel=*/!kept);
}

bool SessionOutbox::PushLocked(v1::SessionResponse response) {
  if (finished_) return true;
  std::optional<Outgoing> outgoing = ChargeLocked(std::move(response));
  if (!outgoing.has_value()) return false;
  outgoing_.push_back(*std::move(outgoing));
  return true;
}

std::optional<SessionOutbox::Outgoing> SessionOutbox::ChargeLocked(
    v1::SessionResponse response) {
  if (outgoing_.size() + held_notices_.size() >= kMaxWaiting) {
    return std::nullopt;
  }
  const uint64_t bytes = response.SpaceUsedLong();
  if (unread_bytes_ + bytes <= kSmallBytes) {
    accounts_.Force(uid_, UidAccounts::Resource::kHeldBytes, bytes);
  } else if (!accounts_.Take(uid_, UidAccounts::Resource::kHeldBytes, bytes)
                  .ok()) {
    return std::nullopt;
  }
  unread_bytes_ += bytes;
  return Outgoing{std::move(response), bytes};
}

void SessionOutbox::DropAllLocked() {
  outgoing_.clear();
  held_notices_.clear();
  if (unread_bytes_ > 0) {
    accounts_.Give(uid_, UidAccounts::Resource::kHeldBytes, unread_bytes_);
  }
  unread_bytes_ = 0;
}

void SessionOutbox::OnWritten(bool ok) {
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) {
      const uint64_t bytes = outgoing_.front().bytes;
      accounts_.Give(uid_, UidAccounts::Resource::kHeldBytes, bytes);
      unread_bytes_ -= bytes;
      outgoing_.pop_front();
    } else {
      DropAllLocked();
    }
    FinishIfDoneLocked();
  }
  Pump();
}

void SessionOutbox::BeginWait() {
  MutexLock lock(&mutex_);
  ++waits_;
}

void SessionOutbox::EndWait() {
  {
    MutexLock lock(&mutex_);
    --waits_;
    FinishIfDoneLocked();
  }
  Pump();
}

void SessionOutbox::EndReads() {
  {
    MutexLock lock(&mutex_);
    reads_done_ = true;
    FinishIfDoneLocked();
  }
  Pump();
}

void SessionOutbox::FinishIfDoneLocked() {
  if (finished_ || !reads_done_ || !outgoing_.empty() || !under_way_.empty() ||
      waits_ > 0) {
    return;
  }
  finished_ = true;
  status_ = grpc::Status::OK;
}

void SessionOutbox::Finish(const grpc::Status& status) {
  {
    MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    status_ = status;
  }
  Pump();
}

bool SessionOutbox::finished() const {
  MutexLock lock(&mutex_);
  return finished_;
}

bool SessionOutbox::MayRead() const {
  MutexLock lock(&mutex_);
  return !finished_ && outgoing_.size() < kMaxUnread &&
         unread_bytes_ < kMaxUnreadBytes && under_way_.size() < kMaxUnderWay;
}

void SessionOutbox::Pump(bool cancel) {
  if (cancel) wire_.Cancel();
  for (;;) {
    const v1::SessionResponse* next = nullptr;
    grpc::Status status;
    {
      MutexLock lock(&mutex_);
      if (finished_) {
        // gRPC takes no write after it was told to finish.
        if (finish_begun_ || in_write_ > 0) return;
        finish_begun_ = true;
        status = status_;
      } else {
        if (writing_ || outgoing_.empty()) return;
        writing_ = true;
        ++in_write_;
        next = &outgoing_.front().response;
      }
    }
    if (next == nullptr) {
      wire_.Finish(status);
      return;
    }
    wire_.Write(*next);
    MutexLock lock(&mutex_);
    --in_write_;
  }
}

}  // namespace warmpool
