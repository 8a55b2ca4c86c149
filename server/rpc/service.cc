#include "server/rpc/service.h"

#include <optional>

#include "absl/status/status.h"
#include "server/rpc/attach_call.h"
#include "server/rpc/session/session.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/watch_buffers.h"
#include "server/rpc/watch_stats.h"

namespace warmpool {
namespace {

template <typename Request, typename Response>
void Await(const Serving& serving,
           const UnaryMethod<Request, Response>& method) {
  UnaryCall<Request, Response>::Await(serving, method);
}

// As UnaryMethod::handle.
template <auto kHandle, typename Request, typename Response>
std::optional<absl::Status> HandleBy(Handlers& handlers, HolderId holder,
                                     const Request& request, const Waiter&,
                                     Response* response) {
  return (handlers.*kHandle)(holder, request, response);
}

// An RPC that the serving thread answers.
template <auto kHandle, typename Request, typename Response>
UnaryMethod<Request, Response> Quick(Rpc rpc, AwaitUnary await) {
  return {.rpc = rpc,
          .await = await,
          .handle_at_once =
              [](Handlers& handlers, HolderId holder, const Request& request,
                 RequestProgress*, Response* response) {
                return std::optional(
                    (handlers.*kHandle)(holder, request, response));
              },
          .handle = &HandleBy<kHandle, Request, Response>,
          .workers = &Serving::workers};
}

// One that a worker answers.
template <auto kHandle, typename Request, typename Response>
UnaryMethod<Request, Response> Slow(Rpc rpc, AwaitUnary await) {
  return {.rpc = rpc,
          .await = await,
          .handle_at_once =
              [](Handlers&, HolderId, const Request&, RequestProgress*,
                 Response*) { return std::optional<absl::Status>(); },
          .handle = &HandleBy<kHandle, Request, Response>,
          .workers = &Serving::workers};
}

std::optional<absl::Status> LeaseAtOnce(Handlers& handlers, HolderId holder,
                                        const v1::LeaseRequest& request,
                                        RequestProgress* progress,
                                        v1::LeaseResponse* response) {
  return handlers.LeaseIfReady(holder, request, progress, response);
}

std::optional<absl::Status> ReleaseFew(Handlers& handlers, HolderId holder,
                                       const v1::ReleaseRequest& request,
                                       RequestProgress*,
                                       v1::ReleaseResponse* response) {
  if (!EndFew(request.leases())) return std::nullopt;
  return handlers.Release(holder, request, response);
}

std::optional<absl::Status> RenewFew(Handlers& handlers, HolderId holder,
                                     const v1::RenewRequest& request,
                                     RequestProgress*,
                                     v1::RenewResponse* response) {
  if (request.renewals_size() > kFewLeases &&
      request.renewals_size() <= kMaxLeasesInRequest) {
    return std::nullopt;
  }
  return handlers.Renew(holder, request, response);
}

std::optional<absl::Status> LeaseInFull(Handlers& handlers, HolderId holder,
                                        const v1::LeaseRequest& request,
                                        const Waiter& waiter,
                                        v1::LeaseResponse* response) {
  return handlers.Lease(holder, request, waiter, response);
}

const UnaryMethod<v1::LeaseRequest, v1::LeaseResponse> kLease = {
    .rpc = Rpc::kLease,
    .await = &AsyncService::RequestLease,
    .handle_at_once = &LeaseAtOnce,
    .handle = &LeaseInFull,
    .workers = &Serving::workers};
const UnaryMethod<v1::ReleaseRequest, v1::ReleaseResponse> kRelease = {
    .rpc = Rpc::kRelease,
    .await = &AsyncService::RequestRelease,
    .handle_at_once = &ReleaseFew,
    .handle =
        &HandleBy<&Handlers::Release, v1::ReleaseRequest, v1::ReleaseResponse>,
    .workers = &Serving::releaser};
const auto kSeal = Quick<&Handlers::Seal, v1::SealRequest, v1::SealResponse>(
    Rpc::kSeal, &AsyncService::RequestSeal);
const auto kMakeTicket =
    Quick<&Handlers::MakeTicket, v1::MakeTicketRequest, v1::MakeTicketResponse>(
        Rpc::kMakeTicket, &AsyncService::RequestMakeTicket);
const auto kClaim =
    Quick<&Handlers::Claim, v1::ClaimRequest, v1::ClaimResponse>(
        Rpc::kClaim, &AsyncService::RequestClaim);
const UnaryMethod<v1::RenewRequest, v1::RenewResponse> kRenew = {
    .rpc = Rpc::kRenew,
    .await = &AsyncService::RequestRenew,
    .handle_at_once = &RenewFew,
    .handle = &HandleBy<&Handlers::Renew, v1::RenewRequest, v1::RenewResponse>,
    .workers = &Serving::workers};
const auto kGetStats =
    Slow<&Handlers::GetStats, v1::GetStatsRequest, v1::GetStatsResponse>(
        Rpc::kGetStats, &AsyncService::RequestGetStats);
const auto kSetLogLevel = Quick<&Handlers::SetLogLevel, v1::SetLogLevelRequest,
                                v1::SetLogLevelResponse>(
    Rpc::kSetLogLevel, &AsyncService::RequestSetLogLevel);
const auto kAssert =
    Slow<&Handlers::Assert, v1::AssertRequest, v1::AssertResponse>(
        Rpc::kAssert, &AsyncService::RequestAssert);
const auto kListBuffers = Slow<&Handlers::ListBuffers, v1::ListBuffersRequest,
                               v1::ListBuffersResponse>(
    Rpc::kListBuffers, &AsyncService::RequestListBuffers);
const auto kListHolders = Slow<&Handlers::ListHolders, v1::ListHoldersRequest,
                               v1::ListHoldersResponse>(
    Rpc::kListHolders, &AsyncService::RequestListHolders);
const auto kTrim = Slow<&Handlers::Trim, v1::TrimRequest, v1::TrimResponse>(
    Rpc::kTrim, &AsyncService::RequestTrim);
const UnaryMethod<v1::ShutdownRequest, v1::ShutdownResponse> kShutdown = [] {
  auto method =
      Slow<&Handlers::Shutdown, v1::ShutdownRequest, v1::ShutdownResponse>(
          Rpc::kShutdown, &AsyncService::RequestShutdown);
  method.on_answered = &Handlers::OnShutdownAnswered;
  return method;
}();

}  // namespace

void ServeMemoryPool(const Serving& serving) {
  Await(serving, kLease);
  Await(serving, kSeal);
  Await(serving, kMakeTicket);
  Await(serving, kClaim);
  Await(serving, kRelease);
  Await(serving, kRenew);
  Await(serving, kGetStats);
  Await(serving, kAssert);
  Await(serving, kListBuffers);
  Await(serving, kListHolders);
  Await(serving, kTrim);
  Await(serving, kShutdown);
  Await(serving, kSetLogLevel);
  AwaitAttach(serving);
  AwaitWatchStats(serving);
  AwaitWatchBuffers(serving);
  AwaitSession(serving);
}

}  // namespace warmpool
