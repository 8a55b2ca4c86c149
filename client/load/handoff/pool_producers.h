// Buffers of the pool: by name, by ticket and in a channel. Only that goes
// from one process to the other; the bytes stay where they were written.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_POOL_PRODUCERS_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_POOL_PRODUCERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "client/load/handoff/handoff.grpc.pb.h"
#include "client/load/handoff/producer_via.h"
#include "warmpool/warmpool.h"

namespace warmpool {

// A name for each round, sealed once it is filled. The consumer knows the names
// ahead and waits for each at the daemon, so nothing but the pool tells it.
class NameProducer final : public ProducerVia {
 public:
  // `stub` and `client` must outlive this. Nobody else uses names that begin
  // with `prefix`.
  NameProducer(load::Handoff::StubInterface* stub, Client* client,
               std::string prefix, uint64_t bytes)
      : stub_(*stub),
        client_(*client),
        prefix_(std::move(prefix)),
        bytes_(bytes) {}

  absl::Status BeginTurn(uint64_t first_round) override;
  absl::Status EndTurn(uint64_t round) override;
  absl::StatusOr<std::span<std::byte>> Get(uint64_t round) override;
  absl::StatusOr<HandedOver> HandOver(uint64_t round) override;
  absl::Status GiveBack() override { return buffer_.Release(); }

 private:
  // The call of a turn, which brings a receipt each round.
  struct Turn {
    // Without a deadline: how long a turn takes is not known when it begins.
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderInterface<load::HandoffReceipt>> receipts;
  };

  load::Handoff::StubInterface& stub_;
  Client& client_;
  const std::string prefix_;
  const uint64_t bytes_;
  std::optional<Turn> turn_;
  Buffer buffer_;
};

// An unnamed buffer each round; a message of the users' own brings the ticket.
class TicketProducer final : public ProducerVia {
 public:
  // `stub` and `client` must outlive this.
  TicketProducer(load::Handoff::StubInterface* stub, Client* client,
                 uint64_t bytes, absl::Duration deadline)
      : stub_(*stub), client_(*client), bytes_(bytes), deadline_(deadline) {}

  absl::Status BeginTurn(uint64_t) override { return absl::OkStatus(); }
  absl::Status EndTurn(uint64_t) override { return absl::OkStatus(); }
  absl::StatusOr<std::span<std::byte>> Get(uint64_t round) override;
  absl::StatusOr<HandedOver> HandOver(uint64_t round) override;
  // The ticket took all there was.
  absl::Status GiveBack() override { return absl::OkStatus(); }

 private:
  load::Handoff::StubInterface& stub_;
  Client& client_;
  const uint64_t bytes_;
  const absl::Duration deadline_;
  Buffer buffer_;
};

// A buffer that stays mapped at both ends; a message of the users' own brings
// its token, and the answer brings it back.
class ChannelProducer final : public ProducerVia {
 public:
  // `stub` must outlive this.
  ChannelProducer(load::Handoff::StubInterface* stub, Channel channel,
                  uint64_t bytes, absl::Duration deadline)
      : stub_(*stub),
        channel_(std::move(channel)),
        bytes_(bytes),
        deadline_(deadline) {}

  absl::Status BeginTurn(uint64_t) override { return absl::OkStatus(); }
  absl::Status EndTurn(uint64_t) override { return absl::OkStatus(); }
  absl::StatusOr<std::span<std::byte>> Get(uint64_t round) override;
  absl::StatusOr<HandedOver> HandOver(uint64_t round) override;
  absl::Status GiveBack() override;

 private:
  load::Handoff::StubInterface& stub_;
  Channel channel_;
  const uint64_t bytes_;
  const absl::Duration deadline_;
  ChannelBuffer buffer_;
  // Of the consumer's answer.
  std::string returned_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_POOL_PRODUCERS_H_
