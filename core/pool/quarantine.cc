#include "core/pool/quarantine.h"

#include <algorithm>

namespace warmpool {

void Quarantine::Add(Segment segment, absl::Time now, bool settling) {
  by_due_time_.emplace(
      now + kFirstPause,
      Entry{std::move(segment), settling ? now : absl::InfinitePast(),
            kFirstPause});
}

std::vector<Quarantine::Entry> Quarantine::TakeDue(absl::Time now) {
  std::vector<Entry> due;
  const auto end = by_due_time_.upper_bound(now);
  for (auto it = by_due_time_.begin(); it != end; ++it) {
    due.push_back(std::move(it->second));
  }
  by_due_time_.erase(by_due_time_.begin(), end);
  return due;
}

void Quarantine::PutBack(Entry entry, absl::Time now) {
  entry.pause = std::min(entry.pause * 2, kLongestPause);
  const absl::Time due = now + entry.pause;
  by_due_time_.emplace(due, std::move(entry));
}

std::vector<Quarantine::Entry> Quarantine::TakeAll() {
  return TakeDue(absl::InfiniteFuture());
}

absl::Time Quarantine::NextProbe() const {
  return by_due_time_.empty() ? absl::InfiniteFuture()
                              : by_due_time_.begin()->first;
}

uint64_t Quarantine::bytes() const {
  uint64_t bytes = 0;
  for (const auto& [due, entry] : by_due_time_) bytes += entry.segment.bytes();
  return bytes;
}

}  // namespace warmpool
