// The bytes themselves over gRPC, as it is done without a pool. The messages
// are kept from round to round, so that the producer's memory is there already.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_GRPC_PRODUCERS_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_GRPC_PRODUCERS_H_

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
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
  absl::StatusOr<std::span<std::byte>> Get(uint64_t round) override;
  absl::StatusOr<HandedOver> HandOver(uint64_t round) override;
  absl::Status GiveBack() override { return absl::OkStatus(); }

 private:
  load::Handoff::StubInterface& stub_;
  const uint64_t bytes_;
  const absl::Duration deadline_;
  load::HandoffData message_;
};

// In messages of 1 MiB, which are parts of the producer's memory: nothing
// copies them but the kernel.
class StreamProducer final : public ProducerVia {
 public:
  StreamProducer(std::shared_ptr<grpc::ChannelInterface> channel,
                 uint64_t bytes, absl::Duration deadline)
      : stub_(std::move(channel)), bytes_(bytes), deadline_(deadline) {}
  ~StreamProducer() override;

  absl::Status BeginTurn(uint64_t) override { return absl::OkStatus(); }
  absl::Status EndTurn(uint64_t) override { return absl::OkStatus(); }
  absl::StatusOr<std::span<std::byte>> Get(uint64_t round) override;
  absl::StatusOr<HandedOver> HandOver(uint64_t round) override;
  absl::Status GiveBack() override { return absl::OkStatus(); }

 private:
  using Call = grpc::GenericClientAsyncReaderWriter;

  // Waits for the end of the step that was begun; false: the call has ended.
  bool Await();
  // Until the call has ended, or all is sent and the answer is there.
  void SendAndReceive(Call& call, grpc::ByteBuffer* answer);

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  const uint64_t bytes_;
  const absl::Duration deadline_;
  std::vector<std::byte> memory_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_GRPC_PRODUCERS_H_
