#include "core/pool/reservation.h"

#include "core/base/status_macros.h"
#include "core/pool/effects.h"
#include "core/pool/pool_parts.h"

namespace warmpool {

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  GiveUp();
  parts_ = std::exchange(other.parts_, nullptr);
  holder_ = std::move(other.holder_);
  request_id_ = other.request_id_;
  buffer_ = std::move(other.buffer_);
  pinned_ = other.pinned_;
  named_ = other.named_;
  lease_counted_ = other.lease_counted_;
  payer_ = other.payer_;
  bytes_ = other.bytes_;
  return *this;
}

void Reservation::Begin(PoolParts* parts, const Holder& holder,
                        const RequestId& request_id) {
  parts_ = parts;
  holder_ = holder;
  request_id_ = request_id;
}

void Reservation::HoldQuota(uid_t uid, uint64_t bytes) {
  lease_counted_ = true;
  payer_ = uid;
  bytes_ = bytes;
}

absl::Status Reservation::Commit(LeaseRecord record,
                                 absl::FunctionRef<absl::Status()> commit) {
  const LeaseId id = record.id;
  // If the journal refused the record, a record under this id is another
  // lease's: do not end it.
  RETURN_IF_ERROR(parts_->journal.Grant(std::move(record)));
  absl::Status status;
  {
    MutexLock lock(&parts_->book.mutex);
    status = commit();
    if (status.ok()) {
      // The lease keeps the buffer.
      if (pinned_ != nullptr) (void)parts_->book.Unpin(pinned_);
      MarkCommitted();
    }
  }
  if (!status.ok()) parts_->journal.End(id);
  return status;
}

void Reservation::GiveUp() {
  if (parts_ == nullptr) return;
  PoolParts& parts = *std::exchange(parts_, nullptr);
  Effects effects(&parts);
  if (!buffer_.segment.empty()) effects.Return(std::move(buffer_.segment));
  if (bytes_ > 0) parts.quota.ReleaseBytes(payer_, bytes_);
  if (lease_counted_) parts.quota.ReleaseLease(payer_);
  {
    MutexLock lock(&parts.book.mutex);
    if (named_) parts.book.table.AbandonName(buffer_.uid, buffer_.name);
    if (pinned_ != nullptr) effects.Return(parts.book.Unpin(pinned_));
    parts.book.table.Abandon(holder_.id, request_id_);
  }
  pinned_ = nullptr;
  named_ = false;
  lease_counted_ = false;
  bytes_ = 0;
}

}  // namespace warmpool
