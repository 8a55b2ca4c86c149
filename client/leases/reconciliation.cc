#include "client/leases/reconciliation.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/leases/lease_verdict.h"
#include "client/rpc/buffer_pages.h"
#include "client/rpc/conversion.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

using Stub = DaemonChannel::Stub;

v1::AssertRequest::AssertedLease ToWire(const KnownLeases::Known& known) {
  const v1::GrantedLease& granted = known.granted;
  v1::AssertRequest::AssertedLease wire;
  wire.set_lease_id(granted.lease_id());
  wire.set_request_id(known.request_id);
  wire.set_generation(granted.generation());
  wire.set_buffer_name(granted.buffer_name());
  wire.set_file_name(granted.path().substr(granted.path().rfind('/') + 1));
  wire.set_size_bytes(granted.size_bytes());
  wire.set_access(granted.access());
  wire.set_sealed(granted.sealed());
  *wire.mutable_ttl() = granted.ttl();
  return wire;
}

// An error for one lease comes from a daemon that is there and has the call,
// even if it says otherwise.
absl::Status OfOneLease(const absl::Status& error) {
  if (absl::IsUnimplemented(error) || absl::IsUnavailable(error) ||
      absl::IsDeadlineExceeded(error)) {
    return absl::InternalError(
        absl::StrCat("the daemon says of one lease: ", error.ToString()));
  }
  return error;
}

}  // namespace

Reconciliation::Reconciliation(DaemonChannel* channel, KnownLeases* known,
                               Options options)
    : channel_(*channel), known_(*known), options_(std::move(options)) {}

template <typename Request, typename Response>
absl::StatusOr<Response> Reconciliation::Ask(
    DaemonChannel::Rpc<Request, Response> rpc, const Request& request) {
  DaemonChannel::Effort effort = {
      .deadline = options_.deadline, .wait_for_daemon = false, .repeat = false};
  return channel_.Ask(rpc, request, &effort);
}

absl::Status Reconciliation::AssertKnown() {
  const std::vector<KnownLeases::Known> live = known_.Live();
  absl::Status undecided;
  for (size_t begin = 0; begin < live.size(); begin += kMaxAssertions) {
    const size_t end = std::min(begin + kMaxAssertions, live.size());
    const absl::Status asserted =
        Assert({live.begin() + begin, live.begin() + end});
    if (absl::IsUnimplemented(asserted)) return absl::OkStatus();
    // Without a daemon, or with one that is silent, there is no use in asking
    // for the rest.
    if (absl::IsUnavailable(asserted) || absl::IsDeadlineExceeded(asserted)) {
      return asserted;
    }
    undecided.Update(asserted);
  }
  return undecided;
}

absl::Status Reconciliation::AssertOne(const std::string& lease_id) {
  const std::optional<KnownLeases::Known> known = known_.FindLive(lease_id);
  if (!known.has_value()) return absl::NotFoundError("the lease is not known");
  const absl::Status asserted = Assert({*known});
  if (absl::IsUnimplemented(asserted)) {
    return absl::NotFoundError("the daemon does not know the lease");
  }
  return asserted.ok() ? known_.VerdictOn(lease_id) : asserted;
}

absl::Status Reconciliation::Assert(
    const std::vector<KnownLeases::Known>& leases) {
  v1::AssertRequest request;
  request.set_client_id(options_.client_id);
  for (const KnownLeases::Known& known : leases) {
    *request.add_leases() = ToWire(known);
  }
  const absl::Time asked = MonotonicClock::Get().Now();
  ASSIGN_OR_RETURN(const v1::AssertResponse response,
                   Ask(&Stub::Assert, request));
  if (response.asserted_size() != request.leases_size()) {
    return absl::InternalError(
        absl::StrCat("the daemon gave ", response.asserted_size(),
                     " results for ", request.leases_size(), " leases"));
  }
  absl::Status undecided;
  for (size_t i = 0; i < leases.size(); ++i) {
    const v1::AssertResponse::Asserted& asserted =
        response.asserted(static_cast<int>(i));
    const v1::GrantedLease& lease = leases[i].granted;
    const absl::StatusOr<absl::Duration> ttl =
        TtlFromAnswer(asserted, DurationFromWire(lease.ttl()));
    if (HasEnded(ttl.status())) {
      known_.Lose(lease.lease_id(), ttl.status());
    } else if (!ttl.ok()) {
      undecided = OfOneLease(ttl.status());
    } else if (known_.IsLive(lease.lease_id())) {
      options_.on_asserted(lease, *ttl, asked);
    }
  }
  return undecided;
}

absl::StatusOr<bool> Reconciliation::ReleaseForgotten() {
  const absl::StatusOr<Listed> listed = List();
  if (!listed.ok()) {
    // The answer will be the same next time.
    if (absl::IsUnimplemented(listed.status()) ||
        absl::IsPermissionDenied(listed.status())) {
      return true;
    }
    return listed.status();
  }
  RETURN_IF_ERROR(Release(listed->forgotten));
  return known_.SettleDoubts(listed->requests, MonotonicClock::Get().Now());
}

absl::StatusOr<Reconciliation::Listed> Reconciliation::List() {
  v1::ListBuffersRequest filter;
  filter.set_client_id(options_.client_id);
  Listed listed;
  const absl::Status read = ForEachListed(
      std::move(filter),
      [this](const v1::ListBuffersRequest& request) {
        return Ask(&Stub::ListBuffers, request);
      },
      [&](const v1::Buffer& buffer) { AddListed(buffer, &listed); });
  if (!read.ok()) return read;
  return listed;
}

void Reconciliation::AddListed(const v1::Buffer& buffer, Listed* listed) const {
  for (const v1::BufferLease& lease : buffer.leases()) {
    // Others hold leases on the same buffer.
    if (lease.client_id() != options_.client_id) continue;
    listed->requests.insert(lease.request_id());
    if (!known_.IsForgotten(lease.lease_id(), lease.request_id())) continue;
    v1::LeaseRef& forgotten = listed->forgotten.emplace_back();
    forgotten.set_lease_id(lease.lease_id());
    forgotten.set_for_all_members(known_.WasDroppedForAll(lease.lease_id()));
  }
}

absl::Status Reconciliation::Release(const std::vector<v1::LeaseRef>& leases) {
  for (size_t begin = 0; begin < leases.size(); begin += kMaxReleases) {
    const size_t end = std::min(begin + kMaxReleases, leases.size());
    v1::ReleaseRequest request;
    request.mutable_leases()->Add(leases.begin() + begin, leases.begin() + end);
    // The results do not matter: what is not live any more is released.
    ASSIGN_OR_RETURN(const v1::ReleaseResponse response,
                     Ask(&Stub::Release, request));
  }
  return absl::OkStatus();
}

}  // namespace warmpool
