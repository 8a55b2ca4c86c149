// HostileClient: a process of the hostile uid. It makes one attack after the
// other, drawn from a seed, and tells the driver what it does. It never ends by
// itself, except that some attacks end in its death.
//
// It runs under SCHED_IDLE: what is measured is what the daemon lets it cost
// others, not what the kernel's scheduler gives to another busy process.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_CLIENT_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/torture/hostile/attacker.h"

namespace warmpool::torture {

// What it tells, a line each.
struct HostileReport {
  enum class Kind {
    // An attack begins.
    kBegin,
    // It is over: requests made, and those refused.
    kEnd,
    // The daemon let it do what it must not.
    kBreach,
  };
  Kind kind = Kind::kBegin;
  int attack = 0;
  uint64_t requests = 0;
  uint64_t refusals = 0;
  std::string text = {};

  std::string ToLine() const;
  // nullopt: it is none.
  static std::optional<HostileReport> FromLine(absl::string_view line);
};

// Exit code after a breach.
inline constexpr int kBreachFound = 3;

// Numbers from AllAttacks, of which one is drawn at a time. Reports go to
// `output`. Returns an exit code: kBreachFound.
int HostileClient(const Attacker::Options& options,
                  const std::vector<int>& attacks, int output);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_CLIENT_H_
