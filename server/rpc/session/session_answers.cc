#include "server/rpc/session/session_answers.h"

#include "absl/strings/str_cat.h"
#include "server/wire/conversion.h"

namespace warmpool {
namespace {

void Settle(const v1::SessionRequest& request, const absl::Status& status,
            v1::SessionReply* reply) {
  reply->set_tag(request.tag());
  if (!status.ok()) reply->clear_response();
  *reply->mutable_status() = ToProto(status);
}

// With too many it is refused at once, and not kept.
bool IsForWorker(int leases) {
  return leases > kFewLeases && leases <= kMaxLeasesInRequest;
}

absl::Status CheckCount(const v1::LeaseManyRequest& request) {
  if (request.leases_size() <= kMaxLeasesTogether) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "lease_many asks for ", request.leases_size(), " leases, at most ",
      kMaxLeasesTogether, " go in one request"));
}

// Goes on after the outcomes that are there, one at a time by `lease`, which
// returns nullopt to stop there; false: it did.
template <typename LeaseFunction>
bool LeaseEach(const v1::LeaseManyRequest& request, LeaseFunction lease,
               v1::LeaseManyResponse* response) {
  while (response->outcomes_size() < request.leases_size()) {
    v1::LeaseResponse granted;
    const std::optional<absl::Status> status =
        lease(request.leases(response->outcomes_size()), &granted);
    if (!status.has_value()) return false;
    v1::LeaseManyResponse::Outcome& outcome = *response->add_outcomes();
    *outcome.mutable_result() = ToProto(*status);
    if (status->ok()) outcome.mutable_lease()->Swap(granted.mutable_lease());
  }
  return true;
}

}  // namespace

std::optional<Rpc> RpcOf(const v1::SessionRequest& request) {
  switch (request.request_case()) {
    case v1::SessionRequest::kLease: return Rpc::kLease;
    case v1::SessionRequest::kAttach: return Rpc::kAttach;
    case v1::SessionRequest::kRelease: return Rpc::kRelease;
    case v1::SessionRequest::kRenew: return Rpc::kRenew;
    case v1::SessionRequest::kAssertion: return Rpc::kAssert;
    case v1::SessionRequest::kLeaseMany: return Rpc::kLeaseMany;
    case v1::SessionRequest::kSeal: return Rpc::kSeal;
    case v1::SessionRequest::kMakeTicket: return Rpc::kMakeTicket;
    case v1::SessionRequest::kClaim: return Rpc::kClaim;
    case v1::SessionRequest::REQUEST_NOT_SET: break;
  }
  return std::nullopt;
}

bool AnswerAtOnce(Handlers& handlers, HolderId holder,
                  const v1::SessionRequest& request, RequestProgress* progress,
                  v1::SessionReply* reply) {
  absl::Status status;
  switch (request.request_case()) {
    case v1::SessionRequest::kLease: {
      const std::optional<absl::Status> leased = handlers.LeaseIfReady(
          holder, request.lease(), progress, reply->mutable_lease());
      if (!leased.has_value()) return false;
      status = *leased;
      break;
    }
    case v1::SessionRequest::kLeaseMany: {
      status = CheckCount(request.lease_many());
      if (!status.ok()) break;
      if (request.lease_many().leases_size() > kFewLeases) return false;
      const auto lease = [&](const v1::LeaseRequest& one,
                             v1::LeaseResponse* granted) {
        return handlers.LeaseIfReady(holder, one, progress, granted);
      };
      if (!LeaseEach(request.lease_many(), lease,
                     reply->mutable_lease_many())) {
        // A worker goes on with the one that is not ready.
        return false;
      }
      break;
    }
    case v1::SessionRequest::kSeal:
      status = handlers.Seal(holder, request.seal(), reply->mutable_seal());
      break;
    case v1::SessionRequest::kMakeTicket:
      status = handlers.MakeTicket(holder, request.make_ticket(),
                                   reply->mutable_make_ticket());
      break;
    case v1::SessionRequest::kClaim:
      status = handlers.Claim(holder, request.claim(), reply->mutable_claim());
      break;
    case v1::SessionRequest::kRelease:
      if (!EndFew(request.release().leases()) &&
          request.release().leases_size() <= kMaxLeasesInRequest) {
        return false;
      }
      status =
          handlers.Release(holder, request.release(), reply->mutable_release());
      break;
    case v1::SessionRequest::kRenew:
      if (IsForWorker(request.renew().renewals_size())) return false;
      status = handlers.Renew(holder, request.renew(), reply->mutable_renew());
      break;
    case v1::SessionRequest::kAssertion:
      if (request.assertion().leases_size() <= kMaxLeasesInRequest)
        return false;
      status = handlers.Assert(holder, request.assertion(),
                               reply->mutable_assertion());
      break;
    default:
      status = absl::InvalidArgumentError(
          absl::StrCat("session request ", request.tag(),
                       " asks for nothing that this daemon knows"));
  }
  Settle(request, status, reply);
  return true;
}

void Refuse(const v1::SessionRequest& request, const absl::Status& status,
            v1::SessionReply* reply) {
  if (!request.has_lease_many()) return Settle(request, status, reply);
  // Some of it may have been granted.
  const auto refuse = [&status](const v1::LeaseRequest&, v1::LeaseResponse*) {
    return std::optional(status);
  };
  LeaseEach(request.lease_many(), refuse, reply->mutable_lease_many());
  Settle(request, absl::OkStatus(), reply);
}

void AnswerAttach(uint64_t tag, const absl::Status& status,
                  v1::AttachResponse* response, v1::SessionReply* reply) {
  reply->set_tag(tag);
  if (status.ok()) reply->mutable_attach()->Swap(response);
  *reply->mutable_status() = ToProto(status);
}

bool AnswerInFull(Handlers& handlers, HolderId holder,
                  const v1::SessionRequest& request, const Waiter& waiter,
                  v1::SessionReply* reply) {
  absl::Status status;
  if (request.has_lease()) {
    const std::optional<absl::Status> leased =
        handlers.Lease(holder, request.lease(), waiter, reply->mutable_lease());
    if (!leased.has_value()) return false;
    status = *leased;
  } else if (request.has_lease_many()) {
    const auto lease = [&](const v1::LeaseRequest& one,
                           v1::LeaseResponse* granted) {
      return handlers.Lease(holder, one, waiter, granted);
    };
    if (!LeaseEach(request.lease_many(), lease, reply->mutable_lease_many())) {
      return false;
    }
  } else if (request.has_release()) {
    status =
        handlers.Release(holder, request.release(), reply->mutable_release());
  } else if (request.has_renew()) {
    status = handlers.Renew(holder, request.renew(), reply->mutable_renew());
  } else if (request.has_assertion()) {
    status = handlers.Assert(holder, request.assertion(),
                             reply->mutable_assertion());
  }
  Settle(request, status, reply);
  return true;
}

}  // namespace warmpool
