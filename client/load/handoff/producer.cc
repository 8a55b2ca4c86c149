#include "client/load/handoff/producer.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/load/handoff/grpc_producers.h"
#include "client/load/handoff/handoff_channel.h"
#include "client/load/handoff/pattern.h"
#include "client/load/handoff/pool_producers.h"
#include "client/load/handoff/producer_run.h"
#include "core/base/status_macros.h"

namespace warmpool {
absl::StatusOr<std::unique_ptr<Producer>> Producer::Connect(
    const HandoffOptions* options, const HandoffRole& role, Client* client) {
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                   ConnectTo(SocketPathOf(role), options->deadline));
  std::unique_ptr<Producer> producer(new Producer(options, std::move(channel)));
  producer->AddVias(role, client);
  if (client != nullptr) {
    ASSIGN_OR_RETURN(Buffer renewed, client->Lease(kPatternPage));
    producer->renewed_ = std::move(renewed);
  }
  return producer;
}

void Producer::AddVias(const HandoffRole& role, Client* client) {
  for (const Via via : options_.vias.list) {
    switch (via) {
      case Via::kWarmpool:
        vias_[via] = std::make_unique<NameProducer>(
            stub_.get(), client, absl::StrCat(PoolNameOf(role), "/"),
            options_.bytes);
        break;
      case Via::kWarmpoolTicket:
        vias_[via] = std::make_unique<TicketProducer>(
            stub_.get(), client, options_.bytes, options_.deadline);
        break;
      case Via::kWarmpoolChannel:
        vias_[via] = std::make_unique<ChannelProducer>(
            stub_.get(), client->OpenChannel(PoolNameOf(role)), options_.bytes,
            options_.deadline);
        break;
      case Via::kGrpcUnary:
        vias_[via] = std::make_unique<UnaryProducer>(
            stub_.get(), options_.bytes, options_.deadline);
        break;
      case Via::kGrpcStream:
        vias_[via] = std::make_unique<StreamProducer>(channel_, options_.bytes,
                                                      options_.deadline);
        break;
    }
  }
}

absl::Status Producer::Echo() {
  grpc::ClientContext context;
  SetDeadline(options_.deadline, &context);
  load::EchoMessage answer;
  return FromGrpc(stub_->Echo(&context, load::EchoMessage(), &answer));
}

PairMeasurement Producer::Run(const Clock& clock,
                              std::function<bool(uint64_t rounds)> stopped) {
  ProducerRun::Hooks hooks;
  hooks.message = [this] { return Echo(); };
  if (renewed_.valid()) hooks.renew = [this] { return renewed_.Renew(); };
  hooks.stopped = std::move(stopped);
  return ProducerRun(&options_, &clock, &vias_, std::move(hooks)).Run();
}

}  // namespace warmpool
