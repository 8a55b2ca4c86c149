// Plan: what the driver does and when, drawn from a seed. The same seed and
// options give the same sequence, whatever becomes of it.
#ifndef WARMPOOL_TESTS_TORTURE_PLAN_H_
#define WARMPOOL_TESTS_TORTURE_PLAN_H_

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace warmpool::torture {

class Plan {
 public:
  struct Options {
    bool kill_clients = false;
    bool stop_clients = false;
    bool kill_server = false;
    bool fill = false;
    // Daemons started after a kill may be told to kill themselves.
    bool failpoints = false;
  };

  enum class Action {
    kNothing,
    kKillClient,
    kStopClient,
    kKillServer,
    kTerminateServer,
    kFill,
  };

  struct Event {
    // Since the one before.
    absl::Duration after = {};
    Action action = Action::kNothing;
    // Which client, modulo their number.
    uint64_t victim = 0;
    // How long: a stop, a full filesystem, a time without a daemon.
    absl::Duration span = {};
    // At which of its calls the next daemon kills itself; 0: at none.
    uint64_t failpoint = 0;
  };

  Plan(uint64_t seed, const Options& options)
      : options_(options), random_(seed) {}

  Event Next();

 private:
  bool Wanted(Action action) const;
  Action DrawAction();
  absl::Duration DrawSpan(Action action);
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  absl::Duration Between(absl::Duration low, absl::Duration high);

  const Options options_;
  std::mt19937_64 random_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_PLAN_H_
