// MappedLease: a lease and its mapping in this process: what a Buffer holds,
// and what the lease cache keeps for the next one.
//
// Not thread-safe; whoever has it owns it. Invariant: a lease whose mapping
// ends is released next, in this order, or the daemon would find the segment
// still in use.
#ifndef WARMPOOL_CLIENT_LEASES_MAPPED_LEASE_H_
#define WARMPOOL_CLIENT_LEASES_MAPPED_LEASE_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/leases/lease_source.h"
#include "client/rpc/fork_guard.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/pages/populate.h"
#include "core/memory/segment.h"
#include "core/memory/size_class.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class LeaseCache;

// Aligned so that what one thread leases shares no cache line with another's.
struct alignas(64) MappedLease {
  // Maps the segment of `held`; if it can't, releases the lease. Where the
  // lease may have expired before it was mapped (a process can be stopped for
  // any time), and its segment have become another holder's, it asks the
  // daemon.
  static absl::StatusOr<std::unique_ptr<MappedLease>> Map(
      SystemCalls* calls, std::shared_ptr<LeaseSource> source, HeldLease held);

  // The classes by which segments are mapped and cached, and their owner: to a
  // process all of its segments are one owner's.
  static const SizeClasses& Classes();
  static constexpr uid_t kOwner = 0;

  // `segment` is its mapping.
  MappedLease(SystemCalls* calls, std::shared_ptr<LeaseSource> source,
              HeldLease held, Segment segment);

  // Unmaps, releases and waits for the daemon's answer. In a forked child it
  // only unmaps what the child inherited, and returns FAILED_PRECONDITION: the
  // lease is the parent's.
  // This or EndLater is to be called once before the lease is destroyed, unless
  // its segment was taken and ended.
  absl::Status End();
  // The same, but does not wait for the daemon. `for_all_members`: see
  // LeaseRef.
  void EndLater(bool for_all_members = false);

  // The lease may have served a request for another size than the daemon knows,
  // so each of these tells it: `request` has the size that its user asked for.
  //
  // Others may know the name from here on: no cache gets the lease.
  void Share(uint64_t size_bytes);
  // Gives up the right to write and lets others attach. On error it can be
  // written to as before, unless it is not known what became of it. In a forked
  // child this and MakeTicket do nothing: FAILED_PRECONDITION.
  absl::Status Seal(v1::SealRequest request);
  // Unmaps, and gives the lease up for the ticket. Where the daemon refuses,
  // the lease stays, and is mapped anew, maybe elsewhere; `*given_up` tells
  // whether there is a lease any more.
  absl::Status MakeTicket(v1::MakeTicketRequest request, bool* given_up);

  v1::LeaseRef ref() const;
  bool writable() const;
  bool has_ended() const { return fate->ended.load(std::memory_order_relaxed); }

  // Takes the segment, to be cached or ended by itself, and finds the lease
  // that a segment was taken from.
  Segment TakeSegment();
  static MappedLease* Of(const Segment& taken);

  // The item of a ThreadTier.
  SizeClass size_class() const { return segment.size_class(); }
  size_t bytes() const { return segment.bytes(); }

  // The cache that may keep it. Null: none may.
  std::shared_ptr<LeaseCache> cache;
  std::shared_ptr<const LeaseFate> fate;
  // Its name was asked for, so that others may attach to it.
  std::atomic<bool> shared{false};
  // It was in use before, and what the grant says of its bytes is history.
  bool reused = false;
  // It was asked for ahead of need.
  bool ahead = false;
  Segment segment;
  v1::GrantedLease granted;
  std::shared_ptr<LeaseSource> source;
  SystemCalls* calls;

 private:
  absl::Status CheckProcess() const;
  absl::Status MapSegment(PageState pages);
  absl::Status Unmap();

  // Of the process that has the lease.
  const ForkMark mark_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_MAPPED_LEASE_H_
