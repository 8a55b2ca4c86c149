#include "core/pool/attach_waits.h"

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace warmpool {

absl::Status AttachWaits::Add(Target target, const Holder& holder,
                              AttachWait wait) {
  size_t& count = per_uid_[holder.uid];
  if (count >= kMaxPerUid) {
    return absl::ResourceExhaustedError(
        absl::StrCat("uid ", holder.uid, " waits for ", count,
                     " buffers already, and may for no more"));
  }
  ++count;
  by_name_.insert(NameOf(target, wait.id));
  by_deadline_.emplace(wait.until, wait.id);
  const WaitId id = wait.id;
  const bool added =
      waits_.emplace(id, Entry{std::move(target), holder.id, holder.uid, std::move(wait)})
          .second;
  WARMPOOL_CHECK(added, "a wait is added twice");
  return absl::OkStatus();
}

std::function<void()> AttachWaits::Take(WaitId id) {
  const auto it = waits_.find(id);
  const Entry& entry = it->second;
  by_name_.erase(NameOf(entry.target, id));
  by_deadline_.erase(std::make_pair(entry.wait.until, id));
  const auto counted = per_uid_.find(entry.uid);
  if (--counted->second == 0) per_uid_.erase(counted);
  std::function<void()> wake = std::move(it->second.wait.wake);
  waits_.erase(it);
  return wake;
}

AttachWaits::Wakes AttachWaits::TakeFor(const Target& target) {
  std::vector<WaitId> ids;
  for (auto named = by_name_.lower_bound(NameOf(target, nullptr));
       named != by_name_.end() && std::get<0>(*named) == target.name &&
       std::get<1>(*named) == target.uid;
       ++named) {
    const WaitId id = std::get<2>(*named);
    if (waits_.at(id).target.sealed == target.sealed) ids.push_back(id);
  }
  Wakes wakes;
  for (const WaitId id : ids) wakes.push_back(Take(id));
  return wakes;
}

AttachWaits::Wakes AttachWaits::TakeDue(absl::Time now) {
  Wakes wakes;
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    wakes.push_back(Take(by_deadline_.begin()->second));
  }
  return wakes;
}

template <typename Predicate>
AttachWaits::Wakes AttachWaits::TakeIf(Predicate predicate) {
  std::vector<WaitId> ids;
  for (const auto& [id, entry] : waits_) {
    if (predicate(entry)) ids.push_back(id);
  }
  Wakes wakes;
  for (const WaitId id : ids) wakes.push_back(Take(id));
  return wakes;
}

AttachWaits::Wakes AttachWaits::TakeOf(HolderId holder) {
  return TakeIf([&](const Entry& entry) { return entry.holder == holder; });
}

AttachWaits::Wakes AttachWaits::TakeAll() {
  return TakeIf([](const Entry&) { return true; });
}

bool AttachWaits::Cancel(WaitId id) {
  if (!waits_.contains(id)) return false;
  Take(id);
  return true;
}

absl::Time AttachWaits::NextDue() const {
  return by_deadline_.empty() ? absl::InfiniteFuture()
                              : by_deadline_.begin()->first;
}

void AttachWaits::CheckInvariants() const {
  WARMPOOL_CHECK(by_name_.size() == waits_.size(), "waits by name");
  WARMPOOL_CHECK(by_deadline_.size() == waits_.size(), "waits by deadline");
  size_t counted = 0;
  for (const auto& [uid, count] : per_uid_) counted += count;
  WARMPOOL_CHECK(counted == waits_.size(), "waits by uid");
}

}  // namespace warmpool
