#include "client/leases/renewal_calls.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/leases/lease_verdict.h"
#include "client/rpc/conversion.h"
#include "core/base/status_macros.h"

namespace warmpool {

RenewalCalls::RenewalCalls(DaemonChannel* channel, KnownLeases* known,
                           std::function<void()> on_loss)
    : channel_(*channel), known_(*known), on_loss_(std::move(on_loss)) {}

absl::StatusOr<RenewalCalls::Outcomes> RenewalCalls::Renew(
    const std::vector<LeaseRenewer::Renewal>& renewals, Effort effort) {
  v1::SessionRequest request;
  for (const LeaseRenewer::Renewal& renewal : renewals) {
    v1::RenewRequest::Renewal* const wire =
        request.mutable_renew()->add_renewals();
    wire->mutable_lease()->set_lease_id(renewal.lease_id);
    wire->mutable_lease()->set_generation(renewal.generation);
    *wire->mutable_ttl() = DurationToWire(renewal.ttl);
    wire->set_size_bytes(renewal.size_bytes);
  }
  const absl::StatusOr<v1::SessionReply> reply =
      channel_.AskInSession(request, &effort);
  if (effort.lost) on_loss_();
  if (!reply.ok()) return reply.status();
  const v1::RenewResponse& answer = reply->renew();
  if (answer.renewed_size() != static_cast<int>(renewals.size())) {
    return absl::InternalError(
        absl::StrCat("the daemon gave ", answer.renewed_size(), " results for ",
                     renewals.size(), " renewals"));
  }
  Outcomes outcomes;
  for (size_t i = 0; i < renewals.size(); ++i) {
    outcomes.push_back(
        TtlFromAnswer(answer.renewed(static_cast<int>(i)), renewals[i].ttl));
  }
  RecordVerdicts(renewals, outcomes);
  return outcomes;
}

void RenewalCalls::RecordVerdicts(
    const std::vector<LeaseRenewer::Renewal>& renewals,
    const Outcomes& outcomes) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const absl::Status& outcome = outcomes[i].status();
    const std::string& lease_id = renewals[i].lease_id;
    if (!absl::IsNotFound(outcome)) {
      if (HasEnded(outcome)) known_.Lose(lease_id, outcome);
    } else if (known_.IsLive(lease_id)) {
      // It was granted by a daemon before this one, which will take it up
      // again.
      on_loss_();
    }
  }
}

absl::Status RenewalCalls::TellSizes(
    const std::vector<KnownLeases::Known>& untold, const Effort& effort) {
  absl::Status all;
  for (size_t begin = 0; begin < untold.size();
       begin += LeaseRenewer::kMaxRenewals) {
    const size_t end =
        std::min(begin + LeaseRenewer::kMaxRenewals, untold.size());
    std::vector<LeaseRenewer::Renewal> renewals;
    for (size_t i = begin; i < end; ++i) {
      const v1::GrantedLease& lease = untold[i].granted;
      renewals.push_back({lease.lease_id(), lease.generation(),
                          DurationFromWire(lease.ttl()), lease.size_bytes()});
    }
    ASSIGN_OR_RETURN(const Outcomes outcomes, Renew(renewals, effort));
    for (size_t i = 0; i < outcomes.size() && i < renewals.size(); ++i) {
      all.Update(outcomes[i].status());
      if (outcomes[i].ok()) {
        known_.SizeTold(renewals[i].lease_id, renewals[i].size_bytes);
      }
    }
  }
  return all;
}

}  // namespace warmpool
