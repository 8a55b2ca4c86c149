#include "client/load/handoff/consumer_service.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/load/handoff/chunk_reader.h"
#include "client/load/handoff/handoff_channel.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

std::span<const std::byte> BytesOf(const load::HandoffData& message) {
  return {reinterpret_cast<const std::byte*>(message.data().data()),
          message.data().size()};
}

absl::Status NoPool() {
  return absl::UnimplementedError("this consumer has no pool");
}

}  // namespace

ConsumerService::ConsumerService(const HandoffOptions* options,
                                 const Clock* clock, Client* client,
                                 const std::string& channel)
    : options_(*options), clock_(*clock), client_(client) {
  if (client != nullptr) channel_ = client->OpenChannel(channel);
}

absl::Status ConsumerService::Consume(
    const ConstPieces& pieces, uint64_t round,
    const std::function<absl::Status()>& give_back,
    load::HandoffReceipt* receipt) const {
  const absl::Time arrived = clock_.Now();
  const Pattern pattern{.seed = options_.seed, .round = round};
  absl::Status status = pattern.Check(pieces, options_.bytes);
  const absl::Time read = clock_.Now();
  status.Update(give_back());
  receipt->set_arrived_ns(absl::ToUnixNanos(arrived));
  receipt->set_read_ns(absl::ToInt64Nanoseconds(read - arrived));
  receipt->set_give_back_ns(absl::ToInt64Nanoseconds(clock_.Now() - read));
  return status;
}

grpc::Status ConsumerService::Whole(grpc::ServerContext*,
                                    const load::HandoffData* request,
                                    load::HandoffReceipt* receipt) {
  const auto give_back = [request] {
    // gRPC made the message for this call and ends it after the handler, where
    // its time could not be taken.
    const std::string ended =
        std::move(*const_cast<load::HandoffData*>(request)->mutable_data());
    return absl::OkStatus();
  };
  return ToGrpc(
      Consume({BytesOf(*request)}, request->round(), give_back, receipt));
}

grpc::ServerReadReactor<grpc::ByteBuffer>* ConsumerService::Chunks(
    grpc::CallbackServerContext* context, grpc::ByteBuffer* answer) {
  uint64_t round = 0;
  const auto& metadata = context->client_metadata();
  const auto told = metadata.find(kRoundKey);
  if (told != metadata.end()) {
    // A number that does not parse is found in the bytes.
    (void)absl::SimpleAtoi(
        absl::string_view(told->second.data(), told->second.size()), &round);
  }
  const auto consume = [this, round](
                           const ConstPieces& pieces,
                           const std::function<absl::Status()>& give_back,
                           load::HandoffReceipt* receipt) {
    return Consume(pieces, round, give_back, receipt);
  };
  return new ChunkReader(consume, answer);
}

absl::Status ConsumerService::ConsumeBuffer(
    Buffer& buffer, uint64_t round, load::HandoffReceipt* receipt) const {
  const std::span<const std::byte> bytes = std::as_const(buffer).span();
  return Consume(
      {bytes}, round, [&buffer] { return buffer.Release(); }, receipt);
}

grpc::Status ConsumerService::ByTicket(grpc::ServerContext*,
                                       const load::HandoffTicket* request,
                                       load::HandoffReceipt* receipt) {
  if (client_ == nullptr) return ToGrpc(NoPool());
  receipt->set_told_ns(absl::ToUnixNanos(clock_.Now()));
  absl::StatusOr<Buffer> buffer = client_->Claim(request->ticket());
  if (!buffer.ok()) return ToGrpc(buffer.status());
  return ToGrpc(ConsumeBuffer(*buffer, request->round(), receipt));
}

grpc::Status ConsumerService::ByChannel(grpc::ServerContext*,
                                        const load::HandoffToken* request,
                                        load::HandoffReceipt* receipt) {
  if (!channel_.has_value()) return ToGrpc(NoPool());
  absl::StatusOr<ChannelBuffer> buffer = channel_->Take(request->token());
  if (!buffer.ok()) return ToGrpc(buffer.status());
  const auto give_back = [&] {
    absl::StatusOr<std::string> token = buffer->Give();
    if (token.ok()) receipt->set_token(*std::move(token));
    return token.status();
  };
  return ToGrpc(Consume({std::as_const(*buffer).span()}, request->round(),
                        give_back, receipt));
}

grpc::Status ConsumerService::ByName(
    grpc::ServerContext*, const load::HandoffNames* request,
    grpc::ServerWriter<load::HandoffReceipt>* writer) {
  if (client_ == nullptr) return ToGrpc(NoPool());
  return ToGrpc(ReadBuffers(*request, *writer));
}

absl::Status ConsumerService::ReadBuffers(
    const load::HandoffNames& names,
    grpc::ServerWriter<load::HandoffReceipt>& writer) {
  for (uint64_t round = names.first_round();; ++round) {
    ASSIGN_OR_RETURN(Buffer buffer,
                     client_->Attach(absl::StrCat(names.prefix(), round),
                                     {.wait = options_.deadline}));
    if (buffer.size() < options_.bytes) return buffer.Release();
    load::HandoffReceipt receipt;
    RETURN_IF_ERROR(ConsumeBuffer(buffer, round, &receipt));
    if (!writer.Write(receipt)) {
      return absl::CancelledError("the producer takes no receipts any more");
    }
  }
}

}  // namespace warmpool
