// ChunkReader: the consumer's end of one stream of bytes. It keeps the messages
// as gRPC received them, without a copy, until all are there.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_CHUNK_READER_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_CHUNK_READER_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "client/load/handoff/handoff.pb.h"
#include "client/load/handoff/pattern.h"

namespace warmpool {

// Owns itself, as gRPC's reactors do: it ends with the call.
class ChunkReader final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  // Reads the pieces, then calls `give_back`.
  using Consume = std::function<absl::Status(
      const ConstPieces& pieces, const std::function<absl::Status()>& give_back,
      load::HandoffReceipt* receipt)>;

  // `consume` is called once, on a thread of gRPC's. `answer` outlives the
  // call.
  ChunkReader(Consume consume, grpc::ByteBuffer* answer);

  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  grpc::Status Answer();

  const Consume consume_;
  grpc::ByteBuffer& answer_;
  grpc::ByteBuffer next_;
  std::vector<grpc::ByteBuffer> messages_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_CHUNK_READER_H_
