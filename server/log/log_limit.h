// LogLimit: keeps lines that others can cause at will from filling the log. A
// few of each cause pass every second; the next one that passes says how many
// did not.
#ifndef WARMPOOL_SERVER_LOG_LOG_LIMIT_H_
#define WARMPOOL_SERVER_LOG_LOG_LIMIT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace warmpool {

// Thread-safe.
class LogLimit {
 public:
  static constexpr int kLinesPerSecond = 5;

  // `clock` must outlive this.
  explicit LogLimit(const Clock* clock) : clock_(*clock) {}

  // Whether a line of that cause may be logged: what to append to it, which is
  // empty or " (12 more suppressed)". Causes are kept for good, so they must
  // be few, and none of them of a client's wording.
  std::optional<std::string> Pass(absl::string_view cause);

 private:
  struct Cause {
    // Of the second that is being counted.
    absl::Time begin = absl::InfinitePast();
    int lines = 0;
    uint64_t suppressed = 0;
  };

  const Clock& clock_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Cause> causes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_LOG_LOG_LIMIT_H_
