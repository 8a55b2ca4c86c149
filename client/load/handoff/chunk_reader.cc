#include "client/load/handoff/chunk_reader.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <span>
#include <utility>

#include "client/load/handoff/handoff_channel.h"

namespace warmpool {

ChunkReader::ChunkReader(Consume consume, grpc::ByteBuffer* answer)
    : consume_(std::move(consume)), answer_(*answer) {
  StartRead(&next_);
}

void ChunkReader::OnReadDone(bool ok) {
  if (!ok) return Finish(Answer());
  messages_.emplace_back().Swap(&next_);
  StartRead(&next_);
}

grpc::Status ChunkReader::Answer() {
  std::vector<grpc::Slice> slices;
  ConstPieces pieces;
  for (const grpc::ByteBuffer& message : messages_) {
    std::vector<grpc::Slice> parts;
    const grpc::Status dumped = message.Dump(&parts);
    if (!dumped.ok()) return dumped;
    for (grpc::Slice& part : parts) slices.push_back(std::move(part));
  }
  // Only once no slice moves any more: a small one has its bytes in itself.
  for (const grpc::Slice& slice : slices) {
    pieces.push_back(
        {reinterpret_cast<const std::byte*>(slice.begin()), slice.size()});
  }
  const auto give_back = [this, &slices] {
    slices.clear();
    messages_.clear();
    return absl::OkStatus();
  };
  load::HandoffReceipt receipt;
  const absl::Status consumed = consume_(pieces, give_back, &receipt);
  if (!consumed.ok()) return ToGrpc(consumed);
  bool owned = false;
  return grpc::SerializationTraits<load::HandoffReceipt>::Serialize(
      receipt, &answer_, &owned);
}

}  // namespace warmpool
