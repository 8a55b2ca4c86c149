// LoadClient: one client of a run, wherever it runs.
#ifndef WARMPOOL_CLIENT_LOAD_LOAD_CLIENT_H_
#define WARMPOOL_CLIENT_LOAD_LOAD_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "client/load/driver.h"
#include "client/load/load_options.h"
#include "client/load/measurement.h"
#include "client/load/pool_target.h"
#include "core/base/clock.h"

namespace warmpool {

// Belongs to one thread.
class LoadClient {
 public:
  // Connects. If that fails, Run has nothing else to tell.
  // REQUIRES: 0 <= index < options.clients. `options` and `clock` must outlive
  // this.
  LoadClient(const LoadOptions& options, int index, const Clock* clock);

  // To be called once. Releases what it leased and disconnects before it
  // returns.
  Measurement Run(Stopper& stopper, std::atomic<uint64_t>& progress);

 private:
  const LoadOptions& options_;
  const int index_;
  const Clock& clock_;
  Scenario scenario_;
  // Empty if connecting failed.
  std::optional<PoolTarget> target_;
  Measurement failed_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_LOAD_CLIENT_H_
