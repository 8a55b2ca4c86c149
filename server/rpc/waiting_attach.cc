#include "server/rpc/waiting_attach.h"

#include <utility>

namespace warmpool {

void WaitingAttach::Try() {
  // It may be answered, and forgotten, by another thread as soon as it waits.
  const std::shared_ptr<WaitingAttach> self = shared_from_this();
  const uint64_t number = OnTry();
  const bool is_first = progress_.until == absl::InfinitePast();
  const absl::Time begun = stats_.Begin();
  v1::AttachResponse response;
  std::optional<absl::Status> status =
      handlers_.Attach(holder_, request_,
                       {this, [self] { self->Try(); }, &progress_}, &response);
  const bool waits = !status.has_value();
  if (!waits && is_first) {
    stats_.Record(Rpc::kAttach, begun, status->code());
  } else if (!waits) {
    stats_.RecordUntimed(Rpc::kAttach, status->code());
  }
  OnTried(number, std::move(status), &response);
  // Whoever cancelled it may have come too early to find it waiting.
  if (waits && cancelled() && handlers_.CancelWait(this)) OnCancelled();
}

bool WaitingAttach::cancelled() {
  MutexLock lock(&mutex_);
  return cancelled_;
}

void WaitingAttach::Cancel() {
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  if (handlers_.CancelWait(this)) OnCancelled();
}

}  // namespace warmpool
