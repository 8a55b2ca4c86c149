#include "server/log/log_limit.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace warmpool {

std::optional<std::string> LogLimit::Pass(absl::string_view name) {
  const absl::Time now = clock_.Now();
  MutexLock lock(&mutex_);
  Cause& cause = causes_[name];
  if (now - cause.begin >= absl::Seconds(1)) {
    cause.begin = now;
    cause.lines = 0;
  }
  if (cause.lines == kLinesPerSecond) {
    ++cause.suppressed;
    return std::nullopt;
  }
  ++cause.lines;
  const uint64_t suppressed = std::exchange(cause.suppressed, 0);
  return suppressed == 0 ? ""
                         : absl::StrCat(" (", suppressed, " more suppressed)");
}

}  // namespace warmpool
