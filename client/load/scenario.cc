#include "client/load/scenario.h"

#include <utility>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

constexpr std::pair<ScenarioKind, absl::string_view> kNames[] = {
    {ScenarioKind::kCacheHeavy, "cache_heavy"},
    {ScenarioKind::kColdChurn, "cold_churn"},
    {ScenarioKind::kVm, "vm"},
    {ScenarioKind::kMixed, "mixed"},
    {ScenarioKind::kHandoff, "handoff"},
};

constexpr uint64_t kMixedMinBytes = 64 * kKiB;
constexpr uint64_t kMixedMaxBytes = 64 * kMiB;

// With this exponent a third of all requests are for the smallest class, one
// in 250 is for the largest, and the mean is 2 MiB.
constexpr double kZipfExponent = 1.2;

uint32_t ClassIndex(const SizeClasses& classes, uint64_t bytes) {
  const absl::StatusOr<SizeClass> size_class = classes.For(bytes);
  WARMPOOL_CHECK(size_class.ok(), "every table has these classes");
  return size_class->index;
}

}  // namespace

bool AbslParseFlag(absl::string_view text, ScenarioKind* kind,
                   std::string* error) {
  std::string names;
  for (const auto& [known, name] : kNames) {
    if (text == name) {
      *kind = known;
      return true;
    }
    absl::StrAppend(&names, names.empty() ? "" : ", ", name);
  }
  *error = absl::StrCat("\"", text, "\" is none of ", names);
  return false;
}

std::string AbslUnparseFlag(ScenarioKind kind) {
  for (const auto& [known, name] : kNames) {
    if (kind == known) return std::string(name);
  }
  return "";
}

Scenario::Scenario(const ScenarioOptions& options, uint64_t seed)
    : options_(options), random_(seed), live_(options.live, false) {
  WARMPOOL_CHECK(options.live > 0, "a scenario without buffers");
}

bool Scenario::InRounds() const {
  return options_.kind == ScenarioKind::kColdChurn ||
         options_.kind == ScenarioKind::kVm;
}

bool Scenario::WantsToRelease() const {
  if (leases_done_ == options_.leases) return true;
  return InRounds() ? releasing_ : live_count_ == live_.size();
}

std::optional<Step> Scenario::Next() {
  if (InRounds()) {
    if (live_count_ == live_.size()) releasing_ = true;
    if (live_count_ == 0) releasing_ = false;
  }
  if (!WantsToRelease()) return Lease();
  if (live_count_ == 0) return std::nullopt;
  return Release(SlotToRelease());
}

size_t Scenario::SlotToRelease() {
  const bool full = live_count_ == live_.size();
  if (options_.kind == ScenarioKind::kMixed && full) {
    return absl::Uniform<size_t>(random_, 0, live_.size());
  }
  // At the end of a run there may be slots that were never leased.
  while (!live_[oldest_slot_]) oldest_slot_ = (oldest_slot_ + 1) % live_.size();
  return std::exchange(oldest_slot_, (oldest_slot_ + 1) % live_.size());
}

Step Scenario::Release(size_t slot) {
  live_[slot] = false;
  --live_count_;
  return {.action = Step::Action::kRelease, .slot = slot};
}

Step Scenario::Lease() {
  while (live_[lease_slot_]) lease_slot_ = (lease_slot_ + 1) % live_.size();
  const size_t slot =
      std::exchange(lease_slot_, (lease_slot_ + 1) % live_.size());
  live_[slot] = true;
  ++live_count_;
  ++leases_done_;
  return {.action = Step::Action::kLease, .slot = slot, .bytes = NextSize()};
}

uint64_t Scenario::NextSize() {
  if (options_.kind != ScenarioKind::kMixed) return options_.size_bytes;
  const uint32_t smallest = ClassIndex(classes_, kMixedMinBytes);
  const uint32_t largest = ClassIndex(classes_, kMixedMaxBytes);
  const uint32_t rank = absl::Zipf<uint32_t>(random_, largest - smallest,
                                             kZipfExponent, /*v=*/1.0);
  if (rank == 0) return kMixedMinBytes;
  // Anything that the class serves.
  const SizeClass size_class{smallest + rank};
  const SizeClass below{size_class.index - 1};
  return absl::Uniform<uint64_t>(absl::IntervalOpenClosed, random_,
                                 classes_.Bytes(below),
                                 classes_.Bytes(size_class));
}

}  // namespace warmpool
