#include "client/cli/figures.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/tool/format.h"
#include "core/base/byte_size.h"

namespace warmpool {

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

uint64_t GrantedLeases(const v1::LeaseCounts& leases) {
  return leases.granted_warm() + leases.granted_stock() +
         leases.granted_fresh();
}

std::string HitRatioText(const v1::LeaseCounts& leases) {
  return FormatShare(leases.granted_warm(), GrantedLeases(leases));
}

std::string LatencyText(
    const google::protobuf::RepeatedPtrField<v1::RpcStats>& rpcs,
    absl::string_view method) {
  for (const v1::RpcStats& rpc : rpcs) {
    if (rpc.method() != method || rpc.latency().count() == 0) continue;
    const auto format = [](uint64_t ns) {
      return FormatLatency(absl::Nanoseconds(ns));
    };
    return absl::StrCat("p50 ", format(rpc.latency().p50_ns()), ", p99 ",
                        format(rpc.latency().p99_ns()));
  }
  return "-";
}

std::string LastRefusalText(const v1::GetStatsResponse& stats) {
  return stats.has_last_refusal() ? RefusalText(stats.last_refusal()) : "none";
}

std::string RefusalText(const v1::Refusal& refusal) {
  std::string text = absl::StrCat(
      FormatAge(ToDuration(refusal.age())), " ago: ",
      absl::StatusCodeToString(static_cast<absl::StatusCode>(refusal.code())));
  if (refusal.size_bytes() > 0) {
    absl::StrAppend(&text, ", ", FormatByteSize(refusal.size_bytes()));
  }
  if (refusal.pid() > 0) {
    absl::StrAppend(&text, ", asked for by ", refusal.command(), " (pid ",
                    refusal.pid(), ")");
  }
  return text;
}

}  // namespace warmpool
