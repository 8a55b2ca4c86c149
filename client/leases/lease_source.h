// LeaseSource: where a client's leases come from and go back to: the daemon, as
// the lease cache and the buffers see it.
#ifndef WARMPOOL_CLIENT_LEASES_LEASE_SOURCE_H_
#define WARMPOOL_CLIENT_LEASES_LEASE_SOURCE_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/memory/directory/attach_segment.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// What became of a lease. Set once, by the library's threads.
struct LeaseFate {
  // The daemon said that the lease has ended without its release.
  std::atomic<bool> ended{false};
};

struct HeldLease {
  v1::GrantedLease granted;
  std::shared_ptr<const LeaseFate> fate;
  // By the monotonic clock; the grant came later.
  absl::Time asked = absl::InfiniteFuture();
};

// Thread-safe. In a process forked from the one that made it, every method
// returns FAILED_PRECONDITION, or nothing, and does nothing.
class LeaseSource {
 public:
  virtual ~LeaseSource() = default;

  // Gives back what nobody needs, without waiting for the daemon; false: there
  // is nothing.
  using GiveBack = absl::FunctionRef<bool()>;

  // Errors as the RPCs of the same names have them.
  // Where the machine is full, it is asked again after `give_back`, within the
  // deadline of the call.
  virtual absl::StatusOr<HeldLease> Lease(v1::LeaseRequest request,
                                          GiveBack give_back) = 0;
  absl::StatusOr<HeldLease> Lease(v1::LeaseRequest request) {
    return Lease(std::move(request), [] { return false; });
  }
  virtual absl::StatusOr<HeldLease> Attach(v1::AttachRequest request) = 0;
  virtual absl::StatusOr<HeldLease> Claim(v1::ClaimRequest request) = 0;
  // Up to `count` leases of `bytes` bytes, as far as the daemon has them ready.
  virtual std::vector<HeldLease> LeaseAhead(uint64_t bytes, size_t count) = 0;

  // Waits for the daemon's answer.
  virtual absl::Status Release(const v1::GrantedLease& lease) = 0;
  // Does not wait. What does not reach the daemon is made up for later.
  virtual void ReleaseLater(const std::vector<v1::LeaseRef>& leases) = 0;

  virtual absl::Status Renew(const v1::GrantedLease& lease) = 0;

  // The ids of the leases, anybody's, on each buffer whose name starts so, by
  // its name. Waits for no daemon that is away.
  using LeasesByBuffer =
      absl::flat_hash_map<std::string, std::vector<std::string>>;
  virtual absl::StatusOr<LeasesByBuffer> LeasesOn(
      const std::string& name_prefix) = 0;

  // The lease of `request` is filled in.
  virtual absl::Status Seal(const v1::GrantedLease& lease,
                            v1::SealRequest request) = 0;
  // The same. OK: it is no lease of this client's any more.
  virtual absl::Status MakeTicket(const v1::GrantedLease& lease,
                                  v1::MakeTicketRequest request) = 0;
  // What others who attach to the buffer are to see as its size. Waits for the
  // daemon; should it be away, the daemon is told later.
  virtual absl::Status TellSize(const v1::GrantedLease& lease,
                                uint64_t size_bytes) = 0;

  // Tells what lies idle in the lease cache. Does not wait.
  virtual void ReportIdle(const v1::IdleReport& idle) = 0;

  // Whose the segments are that it grants leases on, if not this process's.
  virtual uid_t daemon_uid() const = 0;

  // Who else gets the bytes of its leases' mappings.
  virtual MappingScope mapping_scope() const { return {}; }
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_LEASE_SOURCE_H_
