#include "server/service.h"

#include "server/session.h"
#include "server/unary_call.h"
#include "server/watch_stats.h"

namespace warmpool {
namespace {

using Service = v1::MemoryPool::AsyncService;

template <typename Request, typename Response>
void Await(const Serving& serving,
           const UnaryMethod<Request, Response>& method) {
  UnaryCall<Request, Response>::Await(serving, method);
}

const UnaryMethod<v1::LeaseRequest, v1::LeaseResponse> kLease = {
    .await = &Service::RequestLease,
    .handle_at_once = &Handlers::LeaseIfReady,
    .handle = &Handlers::Lease,
    .handle_quickly = nullptr};

// An RPC that the serving thread answers.
template <typename Request, typename Response>
UnaryMethod<Request, Response> Quick(
    decltype(UnaryMethod<Request, Response>::await) await,
    absl::Status (Handlers::*handle)(HolderId, const Request&, Response*)) {
  return {.await = await,
          .handle_at_once = nullptr,
          .handle = nullptr,
          .handle_quickly = handle};
}

// One that a worker answers.
template <typename Request, typename Response>
UnaryMethod<Request, Response> Slow(
    decltype(UnaryMethod<Request, Response>::await) await,
    absl::Status (Handlers::*handle)(HolderId, const Request&, Response*)) {
  return {.await = await,
          .handle_at_once = nullptr,
          .handle = handle,
          .handle_quickly = nullptr};
}

const auto kAttach = Quick<v1::AttachRequest, v1::AttachResponse>(
    &Service::RequestAttach, &Handlers::Attach);
const auto kRelease = Quick<v1::ReleaseRequest, v1::ReleaseResponse>(
    &Service::RequestRelease, &Handlers::Release);
const auto kRenew = Quick<v1::RenewRequest, v1::RenewResponse>(
    &Service::RequestRenew, &Handlers::Renew);
const auto kGetStats = Quick<v1::GetStatsRequest, v1::GetStatsResponse>(
    &Service::RequestGetStats, &Handlers::GetStats);
const auto kAssert = Slow<v1::AssertRequest, v1::AssertResponse>(
    &Service::RequestAssert, &Handlers::Assert);
const auto kListBuffers =
    Slow<v1::ListBuffersRequest, v1::ListBuffersResponse>(
        &Service::RequestListBuffers, &Handlers::ListBuffers);
const auto kShutdown = Slow<v1::ShutdownRequest, v1::ShutdownResponse>(
    &Service::RequestShutdown, &Handlers::Shutdown);

}  // namespace

void ServeMemoryPool(const Serving& serving) {
  Await(serving, kLease);
  Await(serving, kAttach);
  Await(serving, kRelease);
  Await(serving, kRenew);
  Await(serving, kGetStats);
  Await(serving, kAssert);
  Await(serving, kListBuffers);
  Await(serving, kShutdown);
  AwaitWatchStats(serving);
  AwaitSession(serving);
}

}  // namespace warmpool
