// RawClient: calls the daemon with hand-made messages, as a client in another
// language would; what the library never sends can be sent here.
#ifndef WARMPOOL_TESTS_SERVER_RAW_CLIENT_H_
#define WARMPOOL_TESTS_SERVER_RAW_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/base/random_id.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"

namespace warmpool::testing {

class RawClient {
 public:
  using Stub = v1::MemoryPool::Stub;

  explicit RawClient(const std::string& target,
                     grpc::ChannelArguments arguments = {}) {
    // A connection of its own, not one shared with other clients here.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(
        target, grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::MemoryPool::NewStub(channel_);
  }

  // Calls one unary method of the stub.
  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(&context);
    return (stub_.get()->*method)(&context, request, response);
  }

  // A request with an id of its own.
  static v1::LeaseRequest LeaseOf(uint64_t size_bytes) {
    v1::LeaseRequest request;
    request.set_request_id(KernelRandom::Get().Next().ToBytes());
    request.set_size_bytes(size_bytes);
    return request;
  }
  static v1::AttachRequest AttachOf(const std::string& name) {
    v1::AttachRequest request;
    request.set_request_id(KernelRandom::Get().Next().ToBytes());
    request.set_name(name);
    request.set_access(v1::ACCESS_SHARED_WRITABLE);
    return request;
  }
  static v1::ReleaseRequest ReleaseOf(const v1::GrantedLease& lease) {
    v1::ReleaseRequest request;
    request.add_leases()->set_lease_id(lease.lease_id());
    return request;
  }

  grpc::Status Lease(const v1::LeaseRequest& request,
                     v1::LeaseResponse* response) {
    return Call(&Stub::Lease, request, response);
  }
  // The lease, which must be granted.
  v1::GrantedLease MustLease(const v1::LeaseRequest& request) {
    v1::LeaseResponse response;
    const grpc::Status status = Lease(request, &response);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    return response.lease();
  }
  // The result for the one lease.
  v1::Result Release(const v1::ReleaseRequest& request) {
    v1::ReleaseResponse response;
    const grpc::Status status = Call(&Stub::Release, request, &response);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    return response.results(0);
  }
  v1::GetStatsResponse Stats() {
    v1::GetStatsResponse response;
    const grpc::Status status =
        Call(&Stub::GetStats, v1::GetStatsRequest(), &response);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    return response;
  }

  static void SetDeadline(grpc::ClientContext* context) {
    context->set_wait_for_ready(true);
    context->set_deadline(std::chrono::system_clock::now() +
                          std::chrono::seconds(30));
  }

  Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_SERVER_RAW_CLIENT_H_
