// Snapshot: what the daemon, its directory and the kernel say at one moment.
// Plain data; snapshot_source.h takes it.
#ifndef WARMPOOL_TESTS_TORTURE_MODEL_SNAPSHOT_H_
#define WARMPOOL_TESTS_TORTURE_MODEL_SNAPSHOT_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/base/random_id.h"

namespace warmpool::torture {

struct Snapshot {
  // As ListBuffers tells them.
  struct Lease {
    // Of those that no process has, a ticket, whose id is not shown, and what
    // keeps a sealed buffer for later readers.
    enum class Kind { kHeld, kTicket, kLingering };

    Kind kind = Kind::kHeld;
    RandomId id = {};
    pid_t pid = 0;
    uint64_t generation = 0;
    uint64_t bytes = 0;
  };

  // As GetStats tells them, in bytes.
  struct Account {
    uint64_t capacity = 0;
    uint64_t leased = 0;
    uint64_t retained = 0;
    uint64_t batched = 0;
    uint64_t stock = 0;
    uint64_t quarantined = 0;
    uint64_t overhead = 0;
    uint64_t free = 0;

    uint64_t Used() const {
      return leased + retained + batched + stock + quarantined + overhead;
    }
  };

  // A process's mapping of a file in the directory.
  struct Mapping {
    pid_t pid = 0;
    uint64_t inode = 0;
    // The file has no name any more.
    bool deleted = false;
  };

  std::vector<Lease> leases = {};
  // Of the segments of all listed buffers.
  uint64_t listed_bytes = 0;
  Account account = {};
  // Bytes allocated to each file, by inode.
  absl::flat_hash_map<uint64_t, uint64_t> files = {};
  // Of clients and their forked children, not of the daemon.
  std::vector<Mapping> mappings = {};
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_MODEL_SNAPSHOT_H_
