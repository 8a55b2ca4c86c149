// ConsumerService: the consumer of a pair: takes the bytes of each round in
// whatever way they come, checks every page, and gives them back.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_CONSUMER_SERVICE_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_CONSUMER_SERVICE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "client/load/handoff/handoff.grpc.pb.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/handoff/pattern.h"
#include "core/base/clock.h"

namespace warmpool {

// One call of each way at a time; different ways may be called by different
// threads.
class ConsumerService final : public load::Handoff::Service {
 public:
  // `options` and `clock` must outlive this.
  ConsumerService(const HandoffOptions* options, const Clock* clock)
      : options_(*options), clock_(*clock) {}

  grpc::Status Echo(grpc::ServerContext*, const load::EchoMessage*,
                    load::EchoMessage*) override {
    return grpc::Status::OK;
  }
  grpc::Status Whole(grpc::ServerContext* context,
                     const load::HandoffData* request,
                     load::HandoffReceipt* receipt) override;
  grpc::Status Chunks(grpc::ServerContext* context,
                      grpc::ServerReader<load::HandoffData>* reader,
                      load::HandoffReceipt* receipt) override;

 private:
  // Reads what has just arrived, then gives it back.
  absl::Status Consume(const ConstPieces& pieces, uint64_t round,
                       const std::function<absl::Status()>& give_back,
                       load::HandoffReceipt* receipt) const;

  const HandoffOptions& options_;
  const Clock& clock_;
  // Kept from call to call, with their memory.
  std::vector<load::HandoffData> chunks_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_CONSUMER_SERVICE_H_
