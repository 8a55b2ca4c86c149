#include "client/load/handoff/grpc_producers.h"

#include <algorithm>
#include <memory>
#include <string>

#include "client/load/handoff/handoff_channel.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr uint64_t kChunkBytes = kMiB;

std::span<std::byte> BytesOf(load::HandoffData& message) {
  std::string& data = *message.mutable_data();
  return {reinterpret_cast<std::byte*>(data.data()), data.size()};
}

}  // namespace

absl::StatusOr<Pieces> UnaryProducer::Get(uint64_t round) {
  message_.set_round(round);
  message_.mutable_data()->resize(bytes_);
  return Pieces{BytesOf(message_)};
}

absl::StatusOr<load::HandoffReceipt> UnaryProducer::HandOver(uint64_t) {
  grpc::ClientContext context;
  SetDeadline(deadline_, &context);
  load::HandoffReceipt receipt;
  const grpc::Status status = stub_.Whole(&context, message_, &receipt);
  if (!status.ok()) return FromGrpc(status);
  return receipt;
}

absl::StatusOr<Pieces> StreamProducer::Get(uint64_t round) {
  chunks_.resize((bytes_ + kChunkBytes - 1) / kChunkBytes);
  Pieces pieces;
  uint64_t left = bytes_;
  for (load::HandoffData& chunk : chunks_) {
    chunk.set_round(round);
    chunk.mutable_data()->resize(std::min(left, kChunkBytes));
    pieces.push_back(BytesOf(chunk));
    left -= pieces.back().size();
  }
  return pieces;
}

absl::StatusOr<load::HandoffReceipt> StreamProducer::HandOver(uint64_t) {
  grpc::ClientContext context;
  SetDeadline(deadline_, &context);
  load::HandoffReceipt receipt;
  const std::unique_ptr<grpc::ClientWriterInterface<load::HandoffData>> writer =
      stub_.Chunks(&context, &receipt);
  for (const load::HandoffData& chunk : chunks_) {
    // False: the call has ended, and Finish tells why.
    if (!writer->Write(chunk)) break;
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return FromGrpc(status);
  return receipt;
}

}  // namespace warmpool
