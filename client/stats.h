// DaemonStats: where a daemon's bytes are, and what it has counted.
//
// Fields have the names of the protocol (warmpool.proto) and of the metrics.
// Counts are since the daemon's start, unless a comment says "now".
#ifndef WARMPOOL_STATS_H_
#define WARMPOOL_STATS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace warmpool {

struct DaemonStats {
  // Where every byte is, now. capacity_bytes is the sum of the seven below it.
  struct Bytes {
    uint64_t capacity_bytes = 0;
    // Under at least one lease, or being made for one.
    uint64_t leased_bytes = 0;
    // Kept warm for the next lease.
    uint64_t retained_bytes = 0;
    // Cold, waiting to be freed.
    uint64_t batched_bytes = 0;
    // Never leased, made ahead of demand.
    uint64_t stock_bytes = 0;
    // Still open or mapped by a process; never reused.
    uint64_t quarantined_bytes = 0;
    // The daemon's own use of the directory.
    uint64_t overhead_bytes = 0;
    uint64_t free_bytes = 0;
    // What the directory's filesystem has free, whoever uses the rest.
    uint64_t filesystem_free_bytes = 0;
    // The part of leased_bytes that lies idle in clients' lease caches.
    uint64_t idle_in_clients_bytes = 0;
  };

  struct Leases {
    // Now.
    uint64_t live_leases = 0;
    uint64_t live_buffers = 0;
    uint64_t holders = 0;
    uint64_t waiting_attaches = 0;
    // Granted, by what the buffer was: see BufferWarmth.
    uint64_t granted_warm = 0;
    uint64_t granted_stock = 0;
    uint64_t granted_fresh = 0;
    uint64_t granted_attached = 0;
    // Refused, by cause.
    uint64_t refused_invalid = 0;
    uint64_t refused_exhausted = 0;
    uint64_t refused_name_taken = 0;
    uint64_t refused_draining = 0;
    uint64_t refused_other = 0;
    // Ended, by cause.
    uint64_t released = 0;
    uint64_t expired = 0;
    uint64_t revoked = 0;
    uint64_t holder_died = 0;
    uint64_t unused = 0;
    uint64_t handed_over = 0;
    uint64_t unclaimed = 0;
    uint64_t linger_ended = 0;

    uint64_t renewed = 0;
    // Taken up from an earlier daemon: by its journal, or by clients' word.
    uint64_t recovered = 0;
    uint64_t asserted = 0;
    // Buffers sealed, tickets made, and tickets claimed.
    uint64_t sealed = 0;
    uint64_t tickets = 0;
    uint64_t claimed = 0;
  };

  // Buffers that are kept warm.
  struct BigCache {
    uint64_t hits = 0;
    uint64_t misses_empty = 0;
    uint64_t misses_zeroed = 0;
    // Now.
    uint64_t retained_segments = 0;
    uint64_t evictions = 0;
  };

  // A request that the daemon refused for a reason that somebody must act on:
  // the memory, a limit, the system or the request itself did not allow it.
  struct Refusal {
    // As its client got it.
    absl::Status status;
    // Since then.
    absl::Duration age;
    // Asked for. Zero: nothing, as by an Attach.
    uint64_t size_bytes = 0;
    pid_t pid = 0;
    uid_t uid = 0;
    std::string command;
  };

  // The daemon's.
  pid_t pid = 0;
  absl::Duration uptime;
  std::string shm_dir;
  // HOST:PORT of the status page and the metrics. Empty: there are none.
  std::string metrics_listen;
  // It stops, and grants no lease.
  bool draining = false;

  Bytes bytes;
  Leases leases;
  BigCache bigcache;
  // Of each uid the last one, the newest first; only for admins.
  std::vector<Refusal> refusals;
};

}  // namespace warmpool

#endif  // WARMPOOL_STATS_H_
