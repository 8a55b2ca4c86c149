#include "client/load/handoff/grpc_producers.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/load/handoff/handoff_channel.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr size_t kChunkBytes = kMiB;

// The caller keeps them until the receiver has answered.
grpc::ByteBuffer MessageOf(std::span<const std::byte> bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size(),
                          grpc::Slice::STATIC_SLICE);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

absl::StatusOr<std::span<std::byte>> UnaryProducer::Get(uint64_t round) {
  message_.set_round(round);
  std::string& data = *message_.mutable_data();
  data.resize(bytes_);
  return std::span(reinterpret_cast<std::byte*>(data.data()), data.size());
}

absl::StatusOr<HandedOver> UnaryProducer::HandOver(uint64_t) {
  grpc::ClientContext context;
  SetDeadline(deadline_, &context);
  HandedOver handed;
  const grpc::Status status = stub_.Whole(&context, message_, &handed.receipt);
  if (!status.ok()) return FromGrpc(status);
  return handed;
}

StreamProducer::~StreamProducer() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) continue;
}

absl::StatusOr<std::span<std::byte>> StreamProducer::Get(uint64_t) {
  memory_.resize(bytes_);
  return std::span(memory_);
}

bool StreamProducer::Await() {
  void* tag = nullptr;
  bool ok = false;
  return queue_.Next(&tag, &ok) && ok;
}

void StreamProducer::SendAndReceive(Call& call, grpc::ByteBuffer* answer) {
  call.StartCall(this);
  if (!Await()) return;
  std::span<const std::byte> left = memory_;
  while (!left.empty()) {
    const size_t count = std::min(left.size(), kChunkBytes);
    call.Write(MessageOf(left.first(count)), this);
    if (!Await()) return;
    left = left.subspan(count);
  }
  call.WritesDone(this);
  if (!Await()) return;
  call.Read(answer, this);
  Await();
}

absl::StatusOr<HandedOver> StreamProducer::HandOver(uint64_t round) {
  grpc::ClientContext context;
  SetDeadline(deadline_, &context);
  context.AddMetadata(kRoundKey, absl::StrCat(round));
  const std::unique_ptr<Call> call =
      stub_.PrepareCall(&context, "/warmpool.load.Handoff/Chunks", &queue_);
  grpc::ByteBuffer answer;
  SendAndReceive(*call, &answer);
  grpc::Status status;
  call->Finish(&status, this);
  Await();
  if (!status.ok()) return FromGrpc(status);
  HandedOver handed;
  const grpc::Status parsed =
      grpc::SerializationTraits<load::HandoffReceipt>::Deserialize(
          &answer, &handed.receipt);
  if (!parsed.ok()) return FromGrpc(parsed);
  return handed;
}

}  // namespace warmpool
