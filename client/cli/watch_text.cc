#include "client/cli/watch_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/figures.h"
#include "client/tool/format.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr int kLinesPerHeader = 20;

constexpr char kLineFormat[] = "%8s %10s %10s %10s %10s %9s %11s %9s\n";

double Uptime(const v1::GetStatsResponse& stats) {
  return absl::ToDoubleSeconds(ToDuration(stats.uptime()));
}

// What grew since the answer before.
struct Rates {
  std::string granted = "-";
  std::string hit_ratio = "-";
  std::string evicted = "-";
};

Rates RatesBetween(const v1::GetStatsResponse& before,
                   const v1::GetStatsResponse& now) {
  const double seconds = Uptime(now) - Uptime(before);
  const auto per_second = [seconds](uint64_t from, uint64_t to) {
    return absl::StrFormat("%.0f", static_cast<double>(to - from) / seconds);
  };
  Rates rates;
  if (seconds <= 0) return rates;
  const uint64_t granted_before = GrantedLeases(before.leases());
  const uint64_t granted = GrantedLeases(now.leases());
  rates.granted = per_second(granted_before, granted);
  rates.hit_ratio =
      FormatShare(now.leases().granted_warm() - before.leases().granted_warm(),
                  granted - granted_before);
  rates.evicted =
      per_second(before.bigcache().evictions(), now.bigcache().evictions());
  return rates;
}

}  // namespace

std::string WatchText::Line(const v1::GetStatsResponse& stats) {
  std::string text;
  if (lines_++ % kLinesPerHeader == 0) {
    text =
        absl::StrFormat(kLineFormat, "leases", "leased", "retained", "batched",
                        "free", "granted/s", "hit ratio", "evicted/s");
  }
  Rates rates;
  if (last_.has_value() && last_->pid() == stats.pid()) {
    rates = RatesBetween(*last_, stats);
  }
  last_ = stats;
  absl::StrAppendFormat(&text, kLineFormat,
                        FormatCount(stats.leases().live_leases()),
                        FormatByteSize(stats.bytes().leased_bytes()),
                        FormatByteSize(stats.bytes().retained_bytes()),
                        FormatByteSize(stats.bytes().batched_bytes()),
                        FormatByteSize(stats.bytes().free_bytes()),
                        rates.granted, rates.hit_ratio, rates.evicted);
  return text;
}

}  // namespace warmpool
