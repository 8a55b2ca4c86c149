#include "client/cache/prefetch.h"

#include <algorithm>

#include "core/base/check.h"

namespace warmpool {

void Prefetch::Missed(SizeClass size_class, absl::Time now) {
  if (now >= period_end_ && most_misses_ < kMinMisses) {
    Forget();
    period_end_ = now + kPeriod;
  }
  const size_t misses = ++states_[size_class].misses;
  most_misses_ = std::max(most_misses_, misses);
}

void Prefetch::Unused(SizeClass size_class) {
  ++counts_.unused;
  states_[size_class].unused = true;
}

absl::Time Prefetch::due() const {
  return most_misses_ < kMinMisses ? absl::InfiniteFuture() : period_end_;
}

std::vector<Prefetch::Wish> Prefetch::Take(absl::Time now,
                                           uint64_t room_bytes) {
  std::vector<Wish> wishes;
  if (now < due()) return wishes;
  for (auto& [size_class, state] : states_) {
    if (state.misses < kMinMisses) continue;
    state.limit = state.unused ? std::max<size_t>(state.limit / 2, 1)
                               : std::min(state.limit * 2, kMaxAhead);
    state.unused = false;
    const uint64_t bytes = classes_.Bytes(size_class);
    const size_t count =
        std::min<uint64_t>({state.misses, state.limit, room_bytes / bytes});
    if (count == 0) continue;
    room_bytes -= count * bytes;
    wishes.push_back({size_class, count});
  }
  Forget();
  return wishes;
}

void Prefetch::Forget() {
  for (auto& [size_class, state] : states_) state.misses = 0;
  most_misses_ = 0;
  period_end_ = absl::InfinitePast();
}

void Prefetch::CheckInvariants() const {
  size_t most_misses = 0;
  for (const auto& [size_class, state] : states_) {
    WARMPOOL_CHECK(state.limit >= 1 && state.limit <= kMaxAhead,
                   "a limit is out of range");
    most_misses = std::max(most_misses, state.misses);
  }
  WARMPOOL_CHECK(most_misses == most_misses_, "the misses are miscounted");
}

}  // namespace warmpool
