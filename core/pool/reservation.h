// Reservation: what a request has reserved in the LeaseBook until its lease is
// granted: its request id, the buffer's name, a lease and bytes in the uid's
// quota, and a pin on a live buffer. The destructor gives up everything that
// was not committed.
//
// Used by one thread. The pool must outlive it.
#ifndef WARMPOOL_CORE_POOL_RESERVATION_H_
#define WARMPOOL_CORE_POOL_RESERVATION_H_

#include <sys/types.h>

#include <cstdint>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "core/base/random_id.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"

namespace warmpool {

struct PoolParts;

class Reservation {
 public:
  // Holds nothing.
  Reservation() = default;
  // REQUIRES: no lock is held.
  ~Reservation() { GiveUp(); }
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;

  bool empty() const { return parts_ == nullptr; }

  // --- Reserving: each call records what the caller did in the book, within
  // the same hold of its lock. ---
  // LeaseBook::Begin began the request.
  void Begin(PoolParts* parts, const Holder& holder,
             const RequestId& request_id);
  // The name of buffer() is reserved.
  void HoldName() { named_ = true; }
  // A lease, and `bytes` for its segment, are reserved in the uid's quota.
  void HoldQuota(uid_t uid, uint64_t bytes);
  // The segment of buffer() carries the reserved bytes: they count for its uid
  // until the segment goes back to SegmentPool.
  void BytesAreSegments() { bytes_ = 0; }
  // A live buffer is pinned.
  void HoldPin(LeaseTable::Buffer* buffer) { pinned_ = buffer; }

  // The holder that made the request.
  const Holder& holder() const { return holder_; }
  // The buffer to add to the table. If the reservation is given up, its
  // segment, if any, goes back to SegmentPool.
  LeaseTable::Buffer& buffer() { return buffer_; }

  // Journals the lease, then calls `commit` under the book's lock. `commit`
  // adds the lease to the table; the lease then owns what was reserved. If
  // `commit` fails, the journal records the lease's end, and everything stays
  // reserved. REQUIRES: no lock is held.
  absl::Status Commit(LeaseRecord record,
                      absl::FunctionRef<absl::Status()> commit);
  // The lease is in the table: there is nothing to give up.
  void MarkCommitted() { parts_ = nullptr; }

  // Gives up everything but the fields of buffer(). REQUIRES: no lock is held.
  void GiveUp();

 private:
  PoolParts* parts_ = nullptr;
  Holder holder_;
  RequestId request_id_;
  LeaseTable::Buffer buffer_;
  LeaseTable::Buffer* pinned_ = nullptr;
  bool named_ = false;
  bool lease_counted_ = false;
  uid_t payer_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_RESERVATION_H_
