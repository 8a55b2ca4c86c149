// Grants: leases on buffers that are made for them.
//
// Thread-safe.
#ifndef WARMPOOL_CORE_POOL_GRANTS_H_
#define WARMPOOL_CORE_POOL_GRANTS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/pool/pool_parts.h"
#include "core/pool/reservation.h"

namespace warmpool {

class Grants {
 public:
  // `parts` must outlive this.
  explicit Grants(PoolParts* parts) : parts_(*parts) {}

  // See Pool::Lease.
  absl::StatusOr<LeaseGrant> Lease(HolderId holder, const LeaseRequest& request,
                                   Reservation* kept);

 private:
  absl::StatusOr<LeaseGrant> LeaseUncounted(HolderId holder,
                                            const LeaseRequest& request,
                                            Reservation* reservation);
  // The name for the buffer.
  absl::StatusOr<std::string> NameFor(const LeaseRequest& request) const;
  // Reserves the request id, the buffer's name, and a lease and its bytes in
  // the uid's quota. Returns a grant if the request was answered before. On an
  // error nothing is reserved.
  absl::StatusOr<std::optional<LeaseGrant>> Reserve(HolderId holder,
                                                    const LeaseRequest& request,
                                                    Reservation* reservation);
  // The same, but on an error the caller must give up the reservation.
  absl::StatusOr<std::optional<LeaseGrant>> TryReserve(
      HolderId holder, const RequestId& request_id, Reservation* reservation);

  PoolParts& parts_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_GRANTS_H_
