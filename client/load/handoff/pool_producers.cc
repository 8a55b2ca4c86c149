#include "client/load/handoff/pool_producers.h"

#include "absl/strings/str_cat.h"
#include "client/load/handoff/handoff_channel.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

// Smaller than any round's.
constexpr uint64_t kLastBytes = 1;

}  // namespace

absl::Status NameProducer::BeginTurn(uint64_t first_round) {
  load::HandoffNames names;
  names.set_prefix(prefix_);
  names.set_first_round(first_round);
  turn_.emplace();
  turn_->receipts = stub_.ByName(&turn_->context, names);
  return absl::OkStatus();
}

absl::StatusOr<std::span<std::byte>> NameProducer::Get(uint64_t round) {
  ASSIGN_OR_RETURN(
      Buffer buffer,
      client_.Lease(bytes_, {.name = absl::StrCat(prefix_, round)}));
  buffer_ = std::move(buffer);
  return buffer_.span();
}

absl::StatusOr<HandedOver> NameProducer::HandOver(uint64_t) {
  RETURN_IF_ERROR(buffer_.Seal());
  HandedOver handed;
  if (turn_->receipts->Read(&handed.receipt)) return handed;
  RETURN_IF_ERROR(FromGrpc(turn_->receipts->Finish()));
  return absl::InternalError("the consumer stopped waiting for names");
}

absl::Status NameProducer::EndTurn(uint64_t round) {
  ASSIGN_OR_RETURN(
      Buffer last,
      client_.Lease(kLastBytes, {.name = absl::StrCat(prefix_, round)}));
  RETURN_IF_ERROR(last.Seal());
  absl::Status ended = FromGrpc(turn_->receipts->Finish());
  turn_.reset();
  // The next turn may need the name.
  ended.Update(last.Release());
  return ended;
}

absl::StatusOr<std::span<std::byte>> TicketProducer::Get(uint64_t) {
  ASSIGN_OR_RETURN(Buffer buffer, client_.Lease(bytes_));
  buffer_ = std::move(buffer);
  return buffer_.span();
}

absl::StatusOr<HandedOver> TicketProducer::HandOver(uint64_t round) {
  ASSIGN_OR_RETURN(std::string ticket, buffer_.MakeTicket());
  load::HandoffTicket message;
  message.set_round(round);
  message.set_ticket(std::move(ticket));
  grpc::ClientContext context;
  SetDeadline(deadline_, &context);
  HandedOver handed;
  const absl::Time sent = MonotonicClock::Get().Now();
  const grpc::Status status =
      stub_.ByTicket(&context, message, &handed.receipt);
  if (!status.ok()) return FromGrpc(status);
  handed.message = absl::FromUnixNanos(handed.receipt.told_ns()) - sent;
  return handed;
}

absl::StatusOr<std::span<std::byte>> ChannelProducer::Get(uint64_t) {
  ASSIGN_OR_RETURN(ChannelBuffer buffer, channel_.Lease(bytes_));
  buffer_ = std::move(buffer);
  return buffer_.span();
}

absl::StatusOr<HandedOver> ChannelProducer::HandOver(uint64_t round) {
  ASSIGN_OR_RETURN(std::string token, buffer_.Give());
  load::HandoffToken message;
  message.set_round(round);
  message.set_token(std::move(token));
  grpc::ClientContext context;
  SetDeadline(deadline_, &context);
  HandedOver handed;
  const grpc::Status status =
      stub_.ByChannel(&context, message, &handed.receipt);
  if (!status.ok()) return FromGrpc(status);
  returned_ = handed.receipt.token();
  return handed;
}

absl::Status ChannelProducer::GiveBack() {
  // Destroyed, it is there for the next round.
  return channel_.Take(returned_).status();
}

}  // namespace warmpool
