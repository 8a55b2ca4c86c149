// A unary call whose request is any bytes.
#ifndef WARMPOOL_TESTS_SERVER_PACKED_CALL_H_
#define WARMPOOL_TESTS_SERVER_PACKED_CALL_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace warmpool::testing {

// `method`: "/package.Service/Method".
inline grpc::Status CallPacked(const std::shared_ptr<grpc::Channel>& channel,
                               const std::string& method,
                               const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request);
  const auto call = stub.PrepareUnaryCall(&context, method,
                                          grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, /*tag=*/nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  return status;
}

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_SERVER_PACKED_CALL_H_
