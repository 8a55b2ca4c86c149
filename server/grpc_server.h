// The gRPC server without a listener of its own: connections are handed to it
// by descriptor.
#ifndef WARMPOOL_SERVER_GRPC_SERVER_H_
#define WARMPOOL_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>

namespace warmpool {

// Starts a server for `service` with the standard health service, bounded in
// memory, threads and message size. Null if gRPC can't start.
std::unique_ptr<grpc::Server> StartGrpcServer(grpc::Service* service,
                                              bool reflection);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_GRPC_SERVER_H_
