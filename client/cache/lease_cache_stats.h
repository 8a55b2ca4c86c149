// LeaseCacheStats: what a client's lease cache has done and holds.
#ifndef WARMPOOL_CLIENT_CACHE_LEASE_CACHE_STATS_H_
#define WARMPOOL_CLIENT_CACHE_LEASE_CACHE_STATS_H_

#include <cstdint>

namespace warmpool {

// Counts since the client connected. Only calls of Lease that could have been
// served from the cache count: no name, no ttl, not zeroed.
struct LeaseCacheStats {
  // Served without the daemon. A few may be missing where more than 16 threads
  // lease at once.
  uint64_t hits = 0;
  // The daemon was asked.
  uint64_t misses = 0;
  // Leases given back to the daemon because they were more than the cache
  // keeps, lay idle for too long, or were asked for.
  uint64_t released_surplus = 0;
  // Times that idle memory was asked for: by the daemon, or by a lease of this
  // process that found none.
  uint64_t trims = 0;

  // Leases that were asked for ahead of need, and those of them that went back
  // without having served one.
  uint64_t prefetched = 0;
  uint64_t prefetched_unused = 0;

  // At this moment: leases that nobody in the process uses, and the bytes of
  // their segments.
  uint64_t idle_leases = 0;
  uint64_t idle_bytes = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CACHE_LEASE_CACHE_STATS_H_
