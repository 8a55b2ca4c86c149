#include "server/service/service_notice.h"

#include <systemd/sd-daemon.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

// To end what no lease needs, once the leases are released.
constexpr absl::Duration kAfterDrain = absl::Seconds(30);
// Longer than that nobody waits; an infinite wait has no number.
constexpr absl::Duration kLongestDrain = absl::Hours(24 * 365);

void Notify(const std::string& text) {
  sd_notify(/*unset_environment=*/0, text.c_str());
}

}  // namespace

void NoticeReady(const std::string& status) {
  Notify(absl::StrCat("READY=1\nSTATUS=", status));
}

void NoticeStopping(absl::Duration drain_timeout) {
  const absl::Duration patience =
      std::min(drain_timeout, kLongestDrain) + kAfterDrain;
  Notify(absl::StrCat("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=",
                      absl::ToInt64Microseconds(patience)));
}

std::optional<absl::Duration> WatchdogPeriod() {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &microseconds) <= 0) {
    return std::nullopt;
  }
  return absl::Microseconds(microseconds) / 3;
}

void NoticeAlive() { Notify("WATCHDOG=1"); }

}  // namespace warmpool
