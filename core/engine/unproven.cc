#include "core/engine/unproven.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/check.h"

namespace warmpool {

void Unproven::Add(Segment segment, absl::Time now) {
  WARMPOOL_CHECK(Accepts(), "more unproven segments than allowed");
  entries_.push_back({std::move(segment), now + within_});
}

std::deque<Unproven::Entry>::const_iterator Unproven::Find(
    uid_t owner, SizeClass size_class) const {
  const auto newest =
      std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& entry) {
        return entry.segment.owner() == owner &&
               entry.segment.size_class() == size_class;
      });
  return newest == entries_.rend() ? entries_.end() : std::prev(newest.base());
}

size_t Unproven::CountOf(uid_t owner, SizeClass size_class) const {
  return static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.segment.owner() == owner &&
               entry.segment.size_class() == size_class;
      }));
}

std::optional<Segment> Unproven::Take(uid_t owner, SizeClass size_class) {
  const auto found = Find(owner, size_class);
  if (found == entries_.end()) return std::nullopt;
  const auto entry = entries_.begin() + (found - entries_.begin());
  Segment segment = std::move(entry->segment);
  entries_.erase(entry);
  return segment;
}

std::vector<Segment> Unproven::TakeDue(absl::Time now) {
  std::vector<Segment> due;
  while (!entries_.empty() && entries_.front().due <= now) {
    proving_.Add(entries_.front().segment.bytes());
    due.push_back(std::move(entries_.front().segment));
    entries_.pop_front();
  }
  return due;
}

absl::Time Unproven::NextDue() const {
  return entries_.empty() ? absl::InfiniteFuture() : entries_.front().due;
}

uint64_t Unproven::bytes() const {
  uint64_t bytes = proving_.bytes();
  for (const Entry& entry : entries_) bytes += entry.segment.bytes();
  return bytes;
}

void Unproven::CheckInvariants() const {
  WARMPOOL_CHECK(entries_.size() <= kMaxSegments,
                 "more unproven segments than allowed");
  WARMPOOL_CHECK(std::is_sorted(entries_.begin(), entries_.end(),
                                [](const Entry& a, const Entry& b) {
                                  return a.due < b.due;
                                }),
                 "unproven segments out of order");
  proving_.CheckInvariants();
}

}  // namespace warmpool
