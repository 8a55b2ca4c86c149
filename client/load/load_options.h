// What a run of the load generator is to do.
#ifndef WARMPOOL_CLIENT_LOAD_LOAD_OPTIONS_H_
#define WARMPOOL_CLIENT_LOAD_LOAD_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "client/load/pool_target.h"
#include "client/load/scenario.h"

namespace warmpool {

struct LoadOptions {
  // "unix:PATH".
  std::string target;
  // Of every call.
  absl::Duration deadline = absl::Seconds(10);
  // Buffers stay with their clients: what is measured is the library. Otherwise
  // the daemon is.
  bool lease_cache = false;
  // See ClientOptions.
  absl::Duration busy_poll = absl::ZeroDuration();
  // Of each client.
  ScenarioOptions scenario;
  absl::Duration duration = absl::InfiniteDuration();
  // All clients together. 0: as fast as it goes.
  double leases_per_second = 0;
  TouchMode touch = TouchMode::kPages;
  uint64_t seed = 1;

  int clients = 1;
  // Each client is a process of its own, not a thread.
  bool processes = false;

  // Where the report goes besides the table; "-": to stdout, without a table.
  // Empty: nowhere.
  std::string json_path;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_LOAD_OPTIONS_H_
