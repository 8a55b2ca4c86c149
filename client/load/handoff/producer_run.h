// ProducerRun: what a producer does: rounds of each way in turn, with every
// step timed.
//
// A way has kTurns turns, so that all of them meet the same machine, however it
// changes during the run. The first round of each turn is checked but not
// measured: it warms up again what the turns between have displaced.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_RUN_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/handoff/producer_via.h"
#include "client/load/handoff/via.h"
#include "client/load/handoff/via_measurement.h"
#include "core/base/clock.h"

namespace warmpool {

// Belongs to one thread.
class ProducerRun {
 public:
  static constexpr int kTurns = 4;

  struct Hooks {
    // An empty message to the consumer, and its answer.
    std::function<absl::Status()> message;
    // Renews a lease; null where no way needs a daemon.
    std::function<absl::Status()> renew;
    // Asked before each round, and told how many there were. True ends the run.
    std::function<bool(uint64_t rounds)> stopped;
  };

  // `options`, `clock` and the `producers` must outlive this.
  // REQUIRES: a limit of rounds or of the duration; producers for all
  // options.vias, which must be some.
  ProducerRun(const HandoffOptions* options, const Clock* clock,
              const std::map<Via, std::unique_ptr<ProducerVia>>* producers,
              Hooks hooks)
      : options_(*options),
        clock_(*clock),
        producers_(*producers),
        hooks_(std::move(hooks)) {}

  // To be called once. Ends early at the first error, which is in the result.
  PairMeasurement Run();

 private:
  absl::Status Turns();
  absl::Status Turn(Via via, ProducerVia& producer, int turn,
                    absl::Time ends_at);
  // Null: not measured.
  absl::Status Round(ProducerVia& producer, ViaMeasurement* measured);
  absl::Status Messages(ViaMeasurement* measured);

  const HandoffOptions& options_;
  const Clock& clock_;
  const std::map<Via, std::unique_ptr<ProducerVia>>& producers_;
  const Hooks hooks_;

  // Made so far, of all ways.
  uint64_t round_ = 0;
  bool stopped_ = false;
  PairMeasurement result_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_RUN_H_
