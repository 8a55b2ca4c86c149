// Producer: the producer of a pair, connected to its consumer.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/load/handoff/handoff.grpc.pb.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/handoff/producer_via.h"
#include "client/load/handoff/via.h"
#include "client/load/handoff/via_measurement.h"
#include "core/base/clock.h"
#include "warmpool/warmpool.h"

namespace warmpool {

// Belongs to one thread.
class Producer {
 public:
  // REQUIRES: a client if a way of options.vias uses the pool. `options` and
  // `client` must outlive this.
  static absl::StatusOr<std::unique_ptr<Producer>> Connect(
      const HandoffOptions* options, const HandoffRole& role, Client* client);

  // See ProducerRun. To be called once.
  PairMeasurement Run(const Clock& clock,
                      std::function<bool(uint64_t rounds)> stopped);

 private:
  Producer(const HandoffOptions* options,
           std::shared_ptr<grpc::Channel> channel)
      : options_(*options),
        channel_(std::move(channel)),
        stub_(load::Handoff::NewStub(channel_)) {}

  void AddVias(const HandoffRole& role, Client* client);
  absl::Status Echo();

  const HandoffOptions& options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<load::Handoff::StubInterface> stub_;
  // Leased for the time of the run, to be renewed; holds nothing without a
  // pool.
  Buffer renewed_;
  std::map<Via, std::unique_ptr<ProducerVia>> vias_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_H_
