// The bytes themselves over gRPC, as it is done without a pool. The messages are
// kept from round to round, so that the producer's memory is there already.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_GRPC_PRODUCERS_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_GRPC_PRODUCERS_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "client/load/handoff/handoff.grpc.pb.h"
#include "client/load/handoff/producer_via.h"

namespace warmpool {

// In one message.
class UnaryProducer final : public ProducerVia {
 public:
  // `stub` must outlive this.
  UnaryProducer(load::Handoff::StubInterface* stub, uint64_t bytes,
                absl::Duration deadline)
      : stub_(*stub), bytes_(bytes), deadline_(deadline) {}

  absl::Status BeginTurn(uint64_t) override { return absl::OkStatus(); }
  absl::Status EndTurn(uint64_t) override { return absl::OkStatus(); }
  absl::StatusOr<Pieces> Get(uint64_t round) override;
  absl::StatusOr<load::HandoffReceipt> HandOver(uint64_t round) override;
  absl::Status GiveBack() override { return absl::OkStatus(); }

 private:
  load::Handoff::StubInterface& stub_;
  const uint64_t bytes_;
  const absl::Duration deadline_;
  load::HandoffData message_;
};

// In messages of 1 MiB.
class StreamProducer final : public ProducerVia {
 public:
  // `stub` must outlive this.
  StreamProducer(load::Handoff::StubInterface* stub, uint64_t bytes,
                 absl::Duration deadline)
      : stub_(*stub), bytes_(bytes), deadline_(deadline) {}

  absl::Status BeginTurn(uint64_t) override { return absl::OkStatus(); }
  absl::Status EndTurn(uint64_t) override { return absl::OkStatus(); }
  absl::StatusOr<Pieces> Get(uint64_t round) override;
  absl::StatusOr<load::HandoffReceipt> HandOver(uint64_t round) override;
  absl::Status GiveBack() override { return absl::OkStatus(); }

 private:
  load::Handoff::StubInterface& stub_;
  const uint64_t bytes_;
  const absl::Duration deadline_;
  std::vector<load::HandoffData> chunks_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_GRPC_PRODUCERS_H_
