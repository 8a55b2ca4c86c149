#include "server/clients/descriptor_numbers.h"

#include <errno.h>
#include <fcntl.h>

#include <utility>

namespace warmpool {
namespace {

// Numbers tried before one that has not rested is used.
constexpr int kTries = 64;
// Numbers looked at for each that is given out: enough to keep up.
constexpr int kLookedAt = 4;

}  // namespace

UniqueFd DescriptorNumbers::Renumber(const UniqueFd& fd, Range range) {
  LookForFree();
  if (next_ < range.first || next_ >= range.end) next_ = range.first;
  UniqueFd chosen = Duplicate(fd, next_, range);
  if (!chosen.valid()) return chosen;
  // The first in turn is the one that has rested longest.
  if (!HasRested(chosen.get())) {
    int from = chosen.get();
    for (int i = 0; i < kTries; ++i) {
      UniqueFd other = Duplicate(fd, from + 1, range);
      // Once around.
      if (!other.valid() || other.get() == from) break;
      from = other.get();
      if (!HasRested(from)) continue;
      chosen = std::move(other);
      break;
    }
  }
  next_ = chosen.get() + 1;
  if (freed_at_.insert_or_assign(chosen.get(), absl::InfiniteFuture()).second) {
    looked_at_.push_back(chosen.get());
  }
  return chosen;
}

UniqueFd DescriptorNumbers::Duplicate(const UniqueFd& fd, int from,
                                      Range range) {
  UniqueFd duplicate(fcntl(fd.get(), F_DUPFD_CLOEXEC, from));
  if (!duplicate.valid() || duplicate.get() >= range.end) {
    duplicate = UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, range.first));
  }
  if (duplicate.valid() && duplicate.get() >= range.end) {
    duplicate.Reset();
    errno = EMFILE;
  }
  return duplicate;
}

bool DescriptorNumbers::HasRested(int number) {
  const auto it = freed_at_.find(number);
  if (it == freed_at_.end()) return true;
  const absl::Time now = clock_.Now();
  if (it->second == absl::InfiniteFuture()) it->second = now;
  return now - it->second >= kRest;
}

void DescriptorNumbers::LookForFree() {
  for (int i = 0; i < kLookedAt && !looked_at_.empty(); ++i) {
    const int number = looked_at_.front();
    looked_at_.pop_front();
    // One that was seen free may be anybody's by now, such as a segment's.
    const bool in_use = freed_at_.at(number) == absl::InfiniteFuture() &&
                        fcntl(number, F_GETFD) >= 0;
    if (!in_use && HasRested(number)) {
      freed_at_.erase(number);
    } else {
      looked_at_.push_back(number);
    }
  }
}

}  // namespace warmpool
