#include "core/book/last_refusals.h"

#include <algorithm>
#include <utility>

namespace warmpool {
namespace {

Refusal AgedAt(Refusal refusal, absl::Time at, absl::Time now) {
  refusal.age = now - at;
  return refusal;
}

}  // namespace

bool LastRefusals::IsNotable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnavailable: return false;
    default: return true;
  }
}

bool LastRefusals::IsOf(const Entry& entry, uid_t uid) {
  return entry.refusal.holder.id != 0 && entry.refusal.holder.uid == uid;
}

void LastRefusals::Note(const Refusal& refusal, absl::Time now) {
  if (!IsNotable(refusal.status)) return;
  const Holder& holder = refusal.holder;
  const auto before = std::find_if(
      entries_.begin(), entries_.end(), [&holder](const Entry& entry) {
        return holder.id == 0 ? entry.refusal.holder.id == 0
                              : IsOf(entry, holder.uid);
      });
  if (before != entries_.end()) {
    entries_.erase(before);
  } else if (entries_.size() == kMostUids) {
    entries_.erase(entries_.begin());
  }
  entries_.push_back({refusal, now});
}

std::optional<Refusal> LastRefusals::Of(uid_t uid, absl::Time now) const {
  for (const Entry& entry : entries_) {
    if (IsOf(entry, uid)) return AgedAt(entry.refusal, entry.at, now);
  }
  return std::nullopt;
}

std::vector<Refusal> LastRefusals::Newest(size_t most, absl::Time now) const {
  std::vector<Refusal> newest;
  for (auto it = entries_.rbegin();
       it != entries_.rend() && newest.size() < most; ++it) {
    newest.push_back(AgedAt(it->refusal, it->at, now));
  }
  return newest;
}

}  // namespace warmpool
