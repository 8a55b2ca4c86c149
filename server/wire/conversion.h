// The border between the wire contract and core: what comes in is validated
// here as far as its form goes; what it means is core's business.
//
// Errors are INVALID_ARGUMENT and name the field and its value.
#ifndef WARMPOOL_SERVER_WIRE_CONVERSION_H_
#define WARMPOOL_SERVER_WIRE_CONVERSION_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/book/buffer_events.h"
#include "core/book/buffer_listing.h"
#include "core/lease/lease.h"
#include "google/protobuf/duration.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Refuses what google.protobuf.Duration calls invalid: nanos out of range or
// of another sign than the seconds, or beyond +-10,000 years. `field` is named
// in the error.
absl::StatusOr<absl::Duration> FromProto(
    const google::protobuf::Duration& duration, absl::string_view field);
// Durations that the wire can't carry become the longest that it can.
google::protobuf::Duration ToProto(absl::Duration duration);

absl::StatusOr<LeaseRequest> FromProto(const v1::LeaseRequest& request);
absl::StatusOr<AttachRequest> FromProto(const v1::AttachRequest& request);
// For how long a request waits: zero if it does not, a day at most.
absl::StatusOr<absl::Duration> WaitOf(const v1::AttachRequest& request);
absl::StatusOr<ClaimRequest> FromProto(const v1::ClaimRequest& request);
absl::StatusOr<SealRequest> FromProto(const v1::SealRequest& request);
absl::StatusOr<LeaseId> TicketFromProto(const std::string& ticket);
absl::StatusOr<LeaseRef> FromProto(const v1::LeaseRef& ref);
// What a client said who it is. Null: it did not say.
absl::StatusOr<ClientId> ClientIdFromProto(const std::string& client_id);
// `client` is that of the request.
absl::StatusOr<AssertedLease> FromProto(
    const v1::AssertRequest::AssertedLease& lease, const ClientId& client);
// The time to live of a renewal, or of a ticket.
absl::StatusOr<RequestedTtl> TtlOf(const v1::RenewRequest::Renewal& renewal);
absl::StatusOr<RequestedTtl> TtlOf(const v1::MakeTicketRequest& request);

v1::GrantedLease ToProto(const LeaseGrant& grant);
// A ticket is not told. A lease's client_id and request_id are for `viewer`, if
// it is the holder, and for admins.
v1::Buffer ToProto(const BufferListing& listing, HolderId viewer,
                   bool viewer_is_admin);
v1::UnheldBuffer ToProto(const UnheldLease& lease);
v1::Result ToProto(const absl::Status& status);
v1::RevokedNotice ToProto(const RevokedLease& revoked);
v1::BufferEvent ToProto(const BufferEvents::Event& event);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_WIRE_CONVERSION_H_
