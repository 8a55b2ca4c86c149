#include "core/book/attach_waits.h"

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
  const WaitId id = wait.id;
  const uint64_t number = next_number_++;
  by_name_.emplace(NameOf(target, number), id);
  by_deadline_.emplace(wait.until, id);
  by_holder_.emplace(holder.id, id);
  const bool added =
      waits_
          .emplace(id, Entry{std::move(target), number, holder.id, holder.uid,
                             std::move(wait)})
          .second;
  WARMPOOL_CHECK(added, "a wait is added twice");
  return absl::OkStatus();
}

std::function<void()> AttachWaits::TakeOne(WaitId id) {
  const auto it = waits_.find(id);
  const Entry& entry = it->second;
  by_name_.erase(NameOf(entry.target, entry.number));
  by_deadline_.erase(std::make_pair(entry.wait.until, id));
  by_holder_.erase(std::make_pair(entry.holder, id));
  const auto counted = per_uid_.find(entry.uid);
  if (--counted->second == 0) per_uid_.erase(counted);
  std::function<void()> wake = std::move(it->second.wait.wake);
  waits_.erase(it);
  return wake;
}

AttachWaits::First AttachWaits::TakeFirst(Target target) {
  Crowd crowd = CrowdFor(std::move(target));
  First first{.wakes = TakeFrom(crowd, kWakesByCaller)};
  if (first.wakes.size() == kWakesByCaller) first.rest = std::move(crowd);
  return first;
}

AttachWaits::Wakes AttachWaits::TakeFrom(const Crowd& crowd, size_t most) {
  Wakes wakes;
  const Named end = NameOf(crowd.target, crowd.before);
  while (wakes.size() < most) {
    const auto first = by_name_.lower_bound(NameOf(crowd.target, 0));
    if (first == by_name_.end() || first->first >= end) break;
    wakes.push_back(TakeOne(first->second));
  }
  return wakes;
}

AttachWaits::Wakes AttachWaits::TakeDue(absl::Time now, size_t most) {
  Wakes wakes;
  while (wakes.size() < most && !by_deadline_.empty() && NextDue() <= now) {
    wakes.push_back(TakeOne(by_deadline_.begin()->second));
  }
  return wakes;
}

AttachWaits::Wakes AttachWaits::TakeOf(HolderId holder, size_t most) {
  Wakes wakes;
  while (wakes.size() < most) {
    const auto first = by_holder_.lower_bound({holder, nullptr});
    if (first == by_holder_.end() || first->first != holder) break;
    wakes.push_back(TakeOne(first->second));
  }
  return wakes;
}

AttachWaits::Wakes AttachWaits::Take(size_t most) {
  Wakes wakes;
  while (wakes.size() < most && !waits_.empty()) {
    wakes.push_back(TakeOne(waits_.begin()->first));
  }
  return wakes;
}

bool AttachWaits::Cancel(WaitId id) {
  if (!waits_.contains(id)) return false;
  TakeOne(id);
  return true;
}

absl::Time AttachWaits::NextDue() const {
  return by_deadline_.empty() ? absl::InfiniteFuture()
                              : by_deadline_.begin()->first;
}

void AttachWaits::CheckInvariants() const {
  WARMPOOL_CHECK(by_name_.size() == waits_.size(), "waits by name");
  WARMPOOL_CHECK(by_deadline_.size() == waits_.size(), "waits by deadline");
  WARMPOOL_CHECK(by_holder_.size() == waits_.size(), "waits by holder");
  for (const auto& [id, entry] : waits_) {
    WARMPOOL_CHECK(by_name_.at(NameOf(entry.target, entry.number)) == id,
                   "a wait that its target does not lead to");
    WARMPOOL_CHECK(by_holder_.contains(std::make_pair(entry.holder, id)),
                   "a wait that its holder does not lead to");
  }
  size_t counted = 0;
  for (const auto& [uid, count] : per_uid_) counted += count;
  WARMPOOL_CHECK(counted == waits_.size(), "waits by uid");
}

}  // namespace warmpool
