#include "core/pool/quarantine.h"

#include <algorithm>

namespace warmpool {

absl::Time Quarantine::Add(Segment segment, absl::Time now) {
  Entry entry;
  entry.segment = std::move(segment);
  entry.settles_at = now + kSettleTime;
  entry.set_aside_at = entry.settles_at;
  Insert(std::move(entry), now + kFirstPause);
  return now + kFirstPause;
}

absl::Time Quarantine::AddLeftover(Segment segment, absl::Time now,
                                   absl::Duration grace) {
  Entry entry;
  entry.leftover = !segment.set_aside();
  entry.settles_at = absl::InfinitePast();
  entry.set_aside_at = entry.leftover ? now + grace : absl::InfiniteFuture();
  entry.segment = std::move(segment);
  Insert(std::move(entry), now + kFirstPause);
  return now + kFirstPause;
}

void Quarantine::Insert(Entry entry, absl::Time due) {
  // Whoever has it may know its name; whose lease it was, nobody asks here.
  entry.segment.set_name_is_stale();
  const auto it = by_due_time_.emplace(due, std::move(entry));
  const Entry& inserted = it->second;
  if (inserted.leftover && !inserted.segment.set_aside()) {
    leftovers_[inserted.segment.file_name()] = it;
  }
}

std::vector<Quarantine::Entry> Quarantine::TakeDue(absl::Time now,
                                                   size_t most) {
  std::vector<Entry> due;
  auto it = by_due_time_.begin();
  for (; it != by_due_time_.end() && it->first <= now && due.size() < most;
       ++it) {
    leftovers_.erase(it->second.segment.file_name());
    due.push_back(std::move(it->second));
  }
  by_due_time_.erase(by_due_time_.begin(), it);
  return due;
}

void Quarantine::MakeAllDue(absl::Time now) {
  ByDueTime later;
  later.swap(by_due_time_);
  leftovers_.clear();
  for (auto& [due, entry] : later) {
    Insert(std::move(entry), std::min(due, now));
  }
}

void Quarantine::PutBack(Entry entry, absl::Time now) {
  entry.pause = std::min(entry.pause * 2, kLongestPause);
  const absl::Time due = now + entry.pause;
  Insert(std::move(entry), due);
}

std::optional<Quarantine::Entry> Quarantine::TakeLeftover(
    const std::string& file_name, uid_t owner) {
  const auto found = leftovers_.find(file_name);
  if (found == leftovers_.end()) return std::nullopt;
  const ByDueTime::iterator it = found->second;
  if (it->second.segment.owner() != owner) return std::nullopt;
  leftovers_.erase(found);
  std::optional<Entry> entry = std::move(it->second);
  by_due_time_.erase(it);
  return entry;
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
