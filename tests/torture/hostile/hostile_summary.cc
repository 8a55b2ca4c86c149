#include "tests/torture/hostile/hostile_summary.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using Counts = HostileDriver::Counts;

uint64_t AttacksIn(const Counts& counts) {
  uint64_t begun = 0;
  for (const auto& [number, attack] : counts.attacks) begun += attack.begun;
  return begun;
}

uint64_t RefusalsIn(const Counts& counts) {
  uint64_t refusals = 0;
  for (const auto& [number, attack] : counts.attacks) {
    refusals += attack.refusals;
  }
  return refusals;
}

uint64_t GrowthKib(const Counts& counts) {
  return (std::max(counts.most_bytes, counts.quiet_bytes) -
          counts.quiet_bytes) >>
         10;
}

}  // namespace

std::string ToText(const HostileDriver& driver) {
  const Counts& counts = driver.counts();
  const std::vector<std::pair<const char*, uint64_t>> figures = {
      {"hostile slices", counts.hostile_slices},
      {"attacks", AttacksIn(counts)},
      {"refusals of the hostile", RefusalsIn(counts)},
      {"kills", counts.kills},
      {"deaths of the hostile", counts.deaths},
      {"warm leases of bystanders", counts.warm_leases},
      {"cold", counts.cold_leases},
      {"cold in quiet slices", counts.cold_leases_quiet},
      {"daemon KiB", counts.quiet_bytes >> 10},
      {"growth KiB", GrowthKib(counts)},
      {"cleared after ms",
       static_cast<uint64_t>(absl::ToInt64Milliseconds(counts.cleared_after))}};
  std::string text = absl::StrCat(
      absl::StrJoin(figures, ", ", absl::PairFormatter(" ")), "\n");
  for (const Attack& attack : AllAttacks()) {
    const auto found = counts.attacks.find(attack.number);
    if (found == counts.attacks.end()) continue;
    absl::StrAppend(&text, "attack ", attack.number, ", ", attack.name, ": ",
                    found->second.begun, " times, ", found->second.requests,
                    " requests, ", found->second.refusals, " refused\n");
  }
  return text + driver.latencies().ToText();
}

std::string ProgressOf(const HostileDriver& driver) {
  const Counts& counts = driver.counts();
  return absl::StrCat("attacks ", AttacksIn(counts), ", kills ", counts.kills,
                      ", leases of bystanders ",
                      counts.warm_leases + counts.cold_leases,
                      ", growth of the daemon ", GrowthKib(counts), " KiB");
}

}  // namespace warmpool::torture
