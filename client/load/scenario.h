// Scenario: what one client of the load generator does, as a stream of steps.
// It knows no pool: the same options and seed give the same steps, however the
// pool answers.
#ifndef WARMPOOL_CLIENT_LOAD_SCENARIO_H_
#define WARMPOOL_CLIENT_LOAD_SCENARIO_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/byte_size.h"
#include "core/memory/size_class.h"

namespace warmpool {

enum class ScenarioKind {
  // So many buffers live; over and over, the oldest is released and another
  // leased. The cache serves nearly all.
  kCacheHeavy,
  // Rounds: so many buffers leased, then all released. More than a cache
  // keeps.
  kColdChurn,
  // One such round, of all the leases of the run.
  kVm,
  // So many buffers live, of sizes from 64 KiB to 64 MiB, small ones the most
  // popular; over and over, a random one is replaced.
  kMixed,
  // Pairs of processes that hand buffers on: see handoff/. It consists of no
  // steps, and no Scenario is made of it.
  kHandoff,
};

// "cache_heavy" and so on; found by absl's flags through the namespace.
bool AbslParseFlag(absl::string_view text, ScenarioKind* kind,
                   std::string* error);
std::string AbslUnparseFlag(ScenarioKind kind);

struct ScenarioOptions {
  ScenarioKind kind = ScenarioKind::kCacheHeavy;
  // Of each buffer. kMixed has sizes of its own.
  uint64_t size_bytes = 2 * kMiB;
  // Buffers live at once, at least 1. For kVm, the leases of the run.
  size_t live = 10;
  // Leases in all. nullopt: no end.
  std::optional<uint64_t> leases;
};

struct Step {
  enum class Action { kLease, kRelease };

  Action action = Action::kLease;
  // Which of the buffers that are live at once: below Scenario::slots().
  size_t slot = 0;
  // Of the buffer to lease.
  uint64_t bytes = 0;
};

// Not thread-safe. Invariant: a slot is leased and released by turns.
class Scenario {
 public:
  Scenario(const ScenarioOptions& options, uint64_t seed);

  // After the last lease, releases all that is live; then nullopt.
  std::optional<Step> Next();

  size_t slots() const { return live_.size(); }

 private:
  // Whether all is released before the next is leased.
  bool InRounds() const;
  bool WantsToRelease() const;
  size_t SlotToRelease();
  Step Release(size_t slot);
  Step Lease();
  uint64_t NextSize();

  const ScenarioOptions options_;
  const SizeClasses classes_;
  std::mt19937_64 random_;

  // By slot.
  std::vector<bool> live_;
  size_t live_count_ = 0;
  uint64_t leases_done_ = 0;
  // In a round: its second half has begun.
  bool releasing_ = false;
  // Where to look first for the next lease, and for the next release in turn.
  size_t lease_slot_ = 0;
  size_t oldest_slot_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_SCENARIO_H_
