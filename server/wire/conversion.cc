#include "server/wire/conversion.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

// google/protobuf/duration.proto: 60 s * 60 min * 24 h * 365.25 d * 10000 y.
constexpr int64_t kLongestSeconds = 315'576'000'000;
constexpr absl::Duration kLongestWait = absl::Hours(24);

absl::StatusOr<RandomId> IdFromProto(const std::string& bytes,
                                     absl::string_view field) {
  const std::optional<RandomId> id = RandomId::FromBytes(bytes);
  if (id.has_value()) return *id;
  return absl::InvalidArgumentError(
      absl::StrCat(field, " has ", bytes.size(), " bytes: it is ",
                   RandomId::kBytes, " random bytes"));
}

// Empty for the null id, which nobody is given.
std::string ToProto(const RandomId& id) {
  return id == RandomId() ? std::string() : id.ToBytes();
}

// One component of a path, so that it stays within its directory.
absl::Status CheckFileName(const std::string& name) {
  if (!name.empty() && name != "." && name != ".." &&
      name.find('/') == std::string::npos &&
      name.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("file_name \"", absl::CHexEscape(name),
                   "\" is not the last component of a lease's path"));
}

template <typename Request>
absl::StatusOr<RequestedTtl> TtlFromProto(const Request& request) {
  if (!request.has_ttl()) return RequestedTtl();
  ASSIGN_OR_RETURN(const absl::Duration ttl, FromProto(request.ttl(), "ttl"));
  return RequestedTtl(ttl);
}

absl::StatusOr<Access> FromProto(v1::Access access) {
  switch (access) {
    case v1::ACCESS_UNSPECIFIED:
    case v1::ACCESS_READ_ONLY: return Access::kReadOnly;
    case v1::ACCESS_SHARED_WRITABLE: return Access::kSharedWritable;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "access ", static_cast<int>(access), " is not a known access"));
  }
}

v1::Access ToProto(Access access) {
  return access == Access::kReadOnly ? v1::ACCESS_READ_ONLY
                                     : v1::ACCESS_SHARED_WRITABLE;
}

v1::LeaseState ToProto(LeaseKind kind, LeaseState state) {
  switch (kind) {
    case LeaseKind::kTicket: return v1::LEASE_STATE_TICKET;
    case LeaseKind::kLingering: return v1::LEASE_STATE_LINGERING;
    case LeaseKind::kHeld: break;
  }
  switch (state) {
    case LeaseState::kLive: return v1::LEASE_STATE_LIVE;
    case LeaseState::kRecovering: return v1::LEASE_STATE_RECOVERING;
  }
  return v1::LEASE_STATE_UNSPECIFIED;
}

v1::Warmth ToProto(Warmth warmth) {
  switch (warmth) {
    case Warmth::kWarm: return v1::WARMTH_WARM;
    case Warmth::kStock: return v1::WARMTH_STOCK;
    case Warmth::kFresh: return v1::WARMTH_FRESH;
  }
  return v1::WARMTH_UNSPECIFIED;
}

v1::BufferEvent::Kind ToProto(BufferEvents::Kind kind) {
  switch (kind) {
    case BufferEvents::Kind::kCreated: return v1::BufferEvent::KIND_CREATED;
    case BufferEvents::Kind::kSealed: return v1::BufferEvent::KIND_SEALED;
    case BufferEvents::Kind::kEnded: return v1::BufferEvent::KIND_ENDED;
    case BufferEvents::Kind::kResync: return v1::BufferEvent::KIND_RESYNC;
  }
  return v1::BufferEvent::KIND_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<absl::Duration> FromProto(
    const google::protobuf::Duration& duration, absl::string_view field) {
  const int64_t seconds = duration.seconds();
  const int32_t nanos = duration.nanos();
  const bool signs_agree =
      seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
  if (seconds < -kLongestSeconds || seconds > kLongestSeconds ||
      nanos <= -1'000'000'000 || nanos >= 1'000'000'000 || !signs_agree) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " of ", seconds, " seconds and ", nanos,
                     " nanos is not a valid google.protobuf.Duration"));
  }
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  const absl::Duration longest = absl::Seconds(kLongestSeconds);
  duration = std::clamp(duration, -longest, longest);
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int32_t>(
      absl::IDivDuration(duration, absl::Nanoseconds(1), &duration)));
  return proto;
}

absl::StatusOr<LeaseRequest> FromProto(const v1::LeaseRequest& request) {
  ASSIGN_OR_RETURN(const RandomId id,
                   IdFromProto(request.request_id(), "request_id"));
  ASSIGN_OR_RETURN(const RequestedTtl ttl, TtlFromProto(request));
  ASSIGN_OR_RETURN(const ClientId client,
                   ClientIdFromProto(request.client_id()));
  LeaseRequest converted;
  converted.request_id = id;
  converted.client_id = client;
  converted.bytes = request.size_bytes();
  if (request.has_name()) converted.name = request.name();
  if (request.has_channel()) converted.channel = request.channel();
  converted.ttl = ttl;
  converted.require_zeroed = request.require_zeroed();
  converted.if_ready = request.if_ready();
  return converted;
}

absl::StatusOr<AttachRequest> FromProto(const v1::AttachRequest& request) {
  ASSIGN_OR_RETURN(const RandomId id,
                   IdFromProto(request.request_id(), "request_id"));
  ASSIGN_OR_RETURN(const RequestedTtl ttl, TtlFromProto(request));
  ASSIGN_OR_RETURN(const Access access, FromProto(request.access()));
  ASSIGN_OR_RETURN(const ClientId client,
                   ClientIdFromProto(request.client_id()));
  AttachRequest converted{id, client, request.name(), ttl, access};
  if (request.has_owner_uid()) converted.owner = request.owner_uid();
  return converted;
}

absl::StatusOr<absl::Duration> WaitOf(const v1::AttachRequest& request) {
  if (!request.has_wait()) return absl::ZeroDuration();
  ASSIGN_OR_RETURN(const absl::Duration wait,
                   FromProto(request.wait(), "wait"));
  if (wait < absl::ZeroDuration() || wait > kLongestWait) {
    return absl::InvalidArgumentError(absl::StrCat(
        "wait of ", absl::FormatDuration(wait), " is not within 0 and ",
        absl::FormatDuration(kLongestWait), ": attach again after that"));
  }
  return wait;
}

absl::StatusOr<ClaimRequest> FromProto(const v1::ClaimRequest& request) {
  ASSIGN_OR_RETURN(const RandomId id,
                   IdFromProto(request.request_id(), "request_id"));
  ASSIGN_OR_RETURN(const LeaseId ticket, TicketFromProto(request.ticket()));
  ASSIGN_OR_RETURN(const RequestedTtl ttl, TtlFromProto(request));
  ASSIGN_OR_RETURN(const ClientId client,
                   ClientIdFromProto(request.client_id()));
  return ClaimRequest{id, client, ticket, ttl};
}

absl::StatusOr<SealRequest> FromProto(const v1::SealRequest& request) {
  ASSIGN_OR_RETURN(const absl::Duration linger,
                   FromProto(request.linger(), "linger"));
  const auto& uids = request.share_with_uids();
  const auto& gids = request.share_with_gids();
  if (uids.size() > static_cast<int>(Sharing::kMax) ||
      gids.size() > static_cast<int>(Sharing::kMax)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a buffer can't be shared with ", uids.size(),
                     " uids and ", gids.size(), " gids: at most ",
                     Sharing::kMax, " of each; share it with a group"));
  }
  return SealRequest{linger,
                     {{uids.begin(), uids.end()}, {gids.begin(), gids.end()}},
                     request.size_bytes()};
}

absl::StatusOr<LeaseId> TicketFromProto(const std::string& ticket) {
  return IdFromProto(ticket, "ticket");
}

absl::StatusOr<ClientId> ClientIdFromProto(const std::string& client_id) {
  if (client_id.empty()) return ClientId();
  return IdFromProto(client_id, "client_id");
}

absl::StatusOr<AssertedLease> FromProto(
    const v1::AssertRequest::AssertedLease& lease, const ClientId& client) {
  ASSIGN_OR_RETURN(const RandomId id,
                   IdFromProto(lease.lease_id(), "lease_id"));
  ASSIGN_OR_RETURN(const RandomId request_id,
                   IdFromProto(lease.request_id(), "request_id"));
  if (lease.generation() == 0) {
    return absl::InvalidArgumentError(
        "generation 0 is none that was granted: state the lease's own");
  }
  const absl::Status file_name = CheckFileName(lease.file_name());
  if (!file_name.ok()) return file_name;
  ASSIGN_OR_RETURN(const Access access, FromProto(lease.access()));
  if (!lease.has_ttl()) {
    return absl::InvalidArgumentError(
        "ttl is absent: state the one that was granted, or 0");
  }
  ASSIGN_OR_RETURN(const absl::Duration ttl, FromProto(lease.ttl(), "ttl"));
  AssertedLease converted;
  converted.id = id;
  converted.request_id = request_id;
  converted.client_id = client;
  converted.generation = lease.generation();
  converted.buffer_name = lease.buffer_name();
  converted.file_name = lease.file_name();
  converted.bytes = lease.size_bytes();
  converted.access = access;
  converted.sealed = lease.sealed();
  converted.ttl = ttl;
  return converted;
}

absl::StatusOr<LeaseRef> FromProto(const v1::LeaseRef& ref) {
  ASSIGN_OR_RETURN(const RandomId id, IdFromProto(ref.lease_id(), "lease_id"));
  return LeaseRef{id, ref.generation(), ref.for_all_members()};
}

absl::StatusOr<RequestedTtl> TtlOf(const v1::RenewRequest::Renewal& renewal) {
  return TtlFromProto(renewal);
}

absl::StatusOr<RequestedTtl> TtlOf(const v1::MakeTicketRequest& request) {
  return TtlFromProto(request);
}

v1::GrantedLease ToProto(const LeaseGrant& grant) {
  v1::GrantedLease lease;
  lease.set_lease_id(grant.id.ToBytes());
  lease.set_generation(grant.generation);
  lease.set_buffer_name(grant.buffer_name);
  lease.set_path(grant.path);
  lease.set_size_bytes(grant.bytes);
  lease.set_mapped_bytes(grant.segment_bytes);
  lease.set_page_size_bytes(grant.page_bytes);
  lease.set_warmth(ToProto(grant.warmth));
  lease.set_zeroed(grant.zeroed);
  *lease.mutable_ttl() = ToProto(grant.ttl);
  lease.set_access(ToProto(grant.access));
  lease.set_sealed(grant.sealed);
  return lease;
}

v1::Buffer ToProto(const BufferListing& listing, HolderId viewer,
                   bool viewer_is_admin) {
  v1::Buffer buffer;
  buffer.set_name(listing.name);
  buffer.set_uid(listing.uid);
  buffer.set_size_bytes(listing.bytes);
  buffer.set_mapped_bytes(listing.segment_bytes);
  buffer.set_generation(listing.generation);
  buffer.set_sealed(listing.sealed);
  buffer.set_channel(std::string(ChannelOf(listing.name)));
  *buffer.mutable_age() = ToProto(listing.age);
  buffer.set_total_leases(listing.total_leases);
  for (const BufferListing::Lease& lease : listing.leases) {
    v1::BufferLease* const proto = buffer.add_leases();
    // Whoever knows a ticket can claim it.
    if (lease.kind != LeaseKind::kTicket) {
      proto->set_lease_id(lease.id.ToBytes());
    }
    proto->set_pid(lease.holder.pid);
    proto->set_uid(lease.holder.uid);
    proto->set_command(lease.holder.command);
    *proto->mutable_age() = ToProto(lease.age);
    *proto->mutable_ttl_left() = ToProto(lease.ttl_left);
    proto->set_access(ToProto(lease.access));
    proto->set_state(ToProto(lease.kind, lease.state));
    if (lease.maker != nullptr) {
      proto->set_maker_pid(lease.maker->pid);
      proto->set_maker_command(lease.maker->command);
    }
    if (lease.holder.id != viewer && !viewer_is_admin) continue;
    proto->set_client_id(ToProto(lease.client_id));
    proto->set_request_id(ToProto(lease.request_id));
  }
  return buffer;
}

v1::UnheldBuffer ToProto(const UnheldLease& lease) {
  v1::UnheldBuffer buffer;
  buffer.set_name(lease.buffer_name);
  buffer.set_uid(lease.uid);
  buffer.set_mapped_bytes(lease.bytes);
  buffer.set_state(lease.is_ticket ? v1::LEASE_STATE_TICKET
                                   : v1::LEASE_STATE_LINGERING);
  buffer.set_maker_pid(lease.maker.pid);
  buffer.set_maker_command(lease.maker.command);
  *buffer.mutable_ttl_left() = ToProto(lease.ttl_left);
  return buffer;
}

v1::Result ToProto(const absl::Status& status) {
  v1::Result result;
  result.set_code(static_cast<int32_t>(status.code()));
  result.set_message(std::string(status.message()));
  return result;
}

v1::RevokedNotice ToProto(const RevokedLease& revoked) {
  v1::RevokedNotice notice;
  notice.set_lease_id(revoked.id.ToBytes());
  notice.set_buffer_name(revoked.buffer_name);
  notice.set_cause(revoked.cause == EndCause::kExpired
                       ? v1::RevokedNotice::CAUSE_EXPIRED
                       : v1::RevokedNotice::CAUSE_REVOKED);
  return notice;
}

v1::BufferEvent ToProto(const BufferEvents::Event& event) {
  v1::BufferEvent wire;
  wire.set_kind(ToProto(event.kind));
  wire.set_name(event.name);
  wire.set_uid(event.uid);
  wire.set_generation(event.generation);
  wire.set_size_bytes(event.bytes);
  return wire;
}

}  // namespace warmpool
