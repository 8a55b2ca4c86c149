#include "tests/torture/hostile/slice_latencies.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/byte_size.h"

namespace warmpool::torture {
namespace {

constexpr double kShare = 0.99;
// Fewer have no 99th percentile but the longest of them.
constexpr size_t kFewest = 100;

std::string TextOf(const Latencies& latencies) {
  return absl::StrFormat(
      "p50 %d us, p99 %d us of %d",
      absl::ToInt64Microseconds(latencies.Percentile(0.5)),
      absl::ToInt64Microseconds(latencies.Percentile(kShare)),
      latencies.size());
}

}  // namespace

void SliceLatencies::Add(SliceKind kind, size_t size, absl::Duration latency) {
  latencies_[static_cast<size_t>(kind)][size].Add(latency);
}

const Latencies& SliceLatencies::Of(SliceKind kind, size_t size) const {
  return latencies_[static_cast<size_t>(kind)][size];
}

double SliceLatencies::Ratio(size_t size) const {
  return absl::FDivDuration(
      Of(SliceKind::kHostile, size).Percentile(kShare),
      std::max(Of(SliceKind::kQuiet, size).Percentile(kShare),
               absl::Microseconds(1)));
}

absl::Status SliceLatencies::Compare(const Limits& limits) const {
  for (size_t size = 0; size < kBystanderSizes.size(); ++size) {
    const std::string bytes = FormatByteSize(kBystanderSizes[size]);
    const Latencies& quiet = Of(SliceKind::kQuiet, size);
    const Latencies& hostile = Of(SliceKind::kHostile, size);
    if (quiet.size() < kFewest || hostile.size() < kFewest) {
      return absl::AbortedError(absl::StrCat("too few warm leases of ", bytes,
                                             ": ", quiet.size(), " quiet and ",
                                             hostile.size(), " hostile"));
    }
    if (hostile.Percentile(kShare) <= limits.floor ||
        Ratio(size) <= limits.ratio) {
      continue;
    }
    return absl::AbortedError(absl::StrFormat(
        "warm leases of %s take %.1f times as long because of another uid, "
        "more than %.1f: quiet %s, hostile %s",
        bytes, Ratio(size), limits.ratio, TextOf(quiet), TextOf(hostile)));
  }
  return absl::OkStatus();
}

std::string SliceLatencies::ToText() const {
  std::string text;
  for (size_t size = 0; size < kBystanderSizes.size(); ++size) {
    absl::StrAppendFormat(&text, "%s: quiet %s, hostile %s, ratio %.2f\n",
                          FormatByteSize(kBystanderSizes[size]),
                          TextOf(Of(SliceKind::kQuiet, size)),
                          TextOf(Of(SliceKind::kHostile, size)), Ratio(size));
  }
  return text;
}

}  // namespace warmpool::torture
