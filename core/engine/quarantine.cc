#include "core/engine/quarantine.h"

#include <algorithm>
#include <iterator>

#include "core/base/check.h"

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
  WARMPOOL_CHECK(is_open_, "a segment for a quarantine that is closed");
  // Whoever has it may know its name; whose lease it was, nobody asks here.
  entry.segment.set_name_is_stale();
  ByDueTime& of_uid = by_uid_[entry.segment.owner()];
  const auto it = of_uid.emplace(due, std::move(entry));
  ++size_;
  const Entry& inserted = it->second;
  if (inserted.leftover && !inserted.segment.set_aside()) {
    leftovers_[inserted.segment.file_name()] = it;
  }
}

std::vector<Quarantine::Entry> Quarantine::TakeDue(absl::Time now,
                                                   size_t most) {
  std::vector<Entry> due = Extract(now, most);
  for (const Entry& entry : due) {
    probing_.Add(entry.segment.bytes());
    if (entry.leftover) probing_leftovers_.insert(entry.segment.file_name());
  }
  return due;
}

std::vector<Quarantine::Entry> Quarantine::Extract(absl::Time now,
                                                   size_t most) {
  std::vector<Entry> due;
  for (auto uid = by_uid_.begin(); uid != by_uid_.end();) {
    ByDueTime& of_uid = uid->second;
    size_t taken = 0;
    auto it = of_uid.begin();
    for (; it != of_uid.end() && it->first <= now && taken < most; ++it) {
      leftovers_.erase(it->second.segment.file_name());
      due.push_back(std::move(it->second));
      ++taken;
    }
    of_uid.erase(of_uid.begin(), it);
    size_ -= taken;
    uid = of_uid.empty() ? by_uid_.erase(uid) : std::next(uid);
  }
  return due;
}

void Quarantine::MakeAllDue(absl::Time now) {
  std::map<uid_t, ByDueTime> later;
  later.swap(by_uid_);
  leftovers_.clear();
  size_ = 0;
  for (auto& [uid, of_uid] : later) {
    for (auto& [due, entry] : of_uid) {
      Insert(std::move(entry), std::min(due, now));
    }
  }
}

void Quarantine::PutBack(Entry entry, absl::Time now) {
  OnLeft(entry.segment.bytes());
  entry.pause = std::min(entry.pause * 2, kLongestPause);
  const auto others = by_uid_.find(entry.segment.owner());
  const size_t count = others == by_uid_.end() ? 0 : others->second.size();
  const absl::Time due =
      now +
      std::max(entry.pause, static_cast<int64_t>(count) * kPausePerSegment);
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
  const auto of_uid = by_uid_.find(owner);
  of_uid->second.erase(it);
  --size_;
  if (of_uid->second.empty()) by_uid_.erase(of_uid);
  return entry;
}

std::vector<Quarantine::Entry> Quarantine::TakeAll() {
  return Extract(absl::InfiniteFuture(), SIZE_MAX);
}

std::vector<Quarantine::Entry> Quarantine::Close() {
  std::vector<Entry> all = TakeAll();
  is_open_ = false;
  return all;
}

absl::Time Quarantine::NextProbe() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [uid, of_uid] : by_uid_) {
    next = std::min(next, of_uid.begin()->first);
  }
  return next;
}

uint64_t Quarantine::bytes() const {
  uint64_t bytes = 0;
  for (const auto& [uid, of_uid] : by_uid_) {
    for (const auto& [due, entry] : of_uid) bytes += entry.segment.bytes();
  }
  return bytes;
}

void Quarantine::CheckInvariants() const {
  size_t segments = 0;
  size_t leftovers = 0;
  for (const auto& [uid, of_uid] : by_uid_) {
    WARMPOOL_CHECK(!of_uid.empty(), "an empty list of quarantined segments");
    segments += of_uid.size();
    for (auto it = of_uid.begin(); it != of_uid.end(); ++it) {
      const Segment& segment = it->second.segment;
      WARMPOOL_CHECK(segment.owner() == uid,
                     "quarantined segment in another uid's list");
      if (!it->second.leftover || segment.set_aside()) continue;
      const auto found = leftovers_.find(segment.file_name());
      WARMPOOL_CHECK(found != leftovers_.end() && it == found->second,
                     "leftover that no client can take out");
      ++leftovers;
    }
  }
  WARMPOOL_CHECK(segments == size_, "quarantined segments do not add up");
  WARMPOOL_CHECK(leftovers == leftovers_.size(), "leftovers do not add up");
  WARMPOOL_CHECK(is_open_ || size_ == 0, "a closed quarantine has segments");
  probing_.CheckInvariants();
}

}  // namespace warmpool
