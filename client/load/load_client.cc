#include "client/load/load_client.h"

#include <sys/prctl.h>

#include <utility>

#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

// Clients with neighbouring seeds should have nothing in common. (An odd
// number without pattern: 2^64 over the golden ratio.)
constexpr uint64_t kSeedStep = 0x9e3779b97f4a7c15;

ClientOptions OptionsOf(const LoadOptions& load) {
  ClientOptions options;
  options.deadline = load.deadline;
  options.busy_poll = load.busy_poll;
  if (!load.lease_cache) options.lease_cache_bytes = 0;
  return options;
}

}  // namespace

LoadClient::LoadClient(const LoadOptions& options, int index,
                       const Clock* clock)
    : options_(options),
      index_(index),
      clock_(*clock),
      scenario_(options.scenario,
                options.seed + static_cast<uint64_t>(index) * kSeedStep) {
  absl::StatusOr<Client> client =
      Client::Connect(options.target, OptionsOf(options));
  if (client.ok()) {
    target_.emplace(*std::move(client), options.touch, scenario_.slots());
  } else {
    failed_.RecordFailure(Operation::kConnect, client.status());
  }
}

Measurement LoadClient::Run(Stopper& stopper, std::atomic<uint64_t>& progress) {
  if (!target_.has_value()) return failed_;
  DriveOptions drive;
  drive.duration = options_.duration;
  if (options_.leases_per_second > 0) {
    drive.pace = Pace::Of(options_.leases_per_second, options_.clients, index_);
    // The kernel lets sleepers oversleep by 50 us unless told otherwise; here
    // that would count as latency.
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  }
  Measurement measured =
      Drive(std::move(scenario_), drive, clock_, stopper, *target_, progress);
  target_.reset();
  return measured;
}

}  // namespace warmpool
