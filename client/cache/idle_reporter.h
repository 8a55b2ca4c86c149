// IdleReporter: when the daemon is told what lies idle in a lease cache: after
// changes that matter, and not too often.
//
// Externally synchronised.
#ifndef WARMPOOL_CLIENT_CACHE_IDLE_REPORTER_H_
#define WARMPOOL_CLIENT_CACHE_IDLE_REPORTER_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "core/base/byte_size.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class IdleReporter {
 public:
  static constexpr absl::Duration kEvery = absl::Seconds(1);
  // Smaller changes don't matter, nor do those of less than an eighth. That
  // nothing is idle any more always does.
  static constexpr uint64_t kMinChangeBytes = kMiB;

  // The report to send while `idle` is idle. nullopt: none; then `*next` is
  // when to ask again unless it changes, InfiniteFuture if need not be.
  std::optional<v1::IdleReport> Take(const v1::IdleReport& idle, absl::Time now,
                                     absl::Time* next) {
    *next = absl::InfiniteFuture();
    if (!Matters(idle.idle_bytes())) return std::nullopt;
    if (now < told_ + kEvery) {
      *next = told_ + kEvery;
      return std::nullopt;
    }
    told_ = now;
    told_bytes_ = idle.idle_bytes();
    return idle;
  }

  // As far as the daemon knows.
  uint64_t told_bytes() const { return told_bytes_; }

 private:
  bool Matters(uint64_t bytes) const {
    if (bytes == 0) return told_bytes_ != 0;
    const uint64_t change =
        bytes > told_bytes_ ? bytes - told_bytes_ : told_bytes_ - bytes;
    return change >= std::max(kMinChangeBytes, told_bytes_ / 8);
  }

  absl::Time told_ = absl::InfinitePast();
  uint64_t told_bytes_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CACHE_IDLE_REPORTER_H_
