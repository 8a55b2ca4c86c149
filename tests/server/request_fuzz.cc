// The border between the wire and core on any bytes that are a request: what
// is let through must have the form that core relies on.
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "core/base/check.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/wire/conversion.h"

namespace warmpool {
namespace {

void CheckTtl(const RequestedTtl& ttl) {
  if (!ttl.has_value()) return;
  // What the wire can carry: 10,000 years either way.
  WARMPOOL_CHECK(absl::AbsDuration(*ttl) <= absl::Hours(24) * 366 * 10'001,
                 "a time to live that no message can have");
}

void Convert(const v1::SessionRequest& request) {
  if (const auto lease = FromProto(request.lease()); lease.ok()) {
    WARMPOOL_CHECK(request.lease().request_id().size() == RequestId::kBytes,
                   "a request without an id was let through");
    CheckTtl(lease->ttl);
  }
  if (const auto attach = FromProto(request.attach()); attach.ok()) {
    CheckTtl(attach->ttl);
  }
  for (const v1::LeaseRef& ref : request.release().leases()) {
    WARMPOOL_CHECK(
        !FromProto(ref).ok() || ref.lease_id().size() == LeaseId::kBytes,
        "a lease id of another length was let through");
  }
  for (const v1::RenewRequest::Renewal& renewal : request.renew().renewals()) {
    if (const auto ttl = TtlOf(renewal); ttl.ok()) CheckTtl(*ttl);
  }
  for (const auto& lease : request.assertion().leases()) {
    const auto asserted = FromProto(lease, ClientId());
    if (asserted.ok()) CheckTtl(asserted->ttl);
  }
}

}  // namespace
}  // namespace warmpool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  warmpool::v1::SessionRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  warmpool::Convert(request);
  return 0;
}
