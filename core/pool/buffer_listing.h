// ListBuffers: the buffers of a lease table, page by page, as one holder may
// see them.
#ifndef WARMPOOL_CORE_POOL_BUFFER_LISTING_H_
#define WARMPOOL_CORE_POOL_BUFFER_LISTING_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/pool/lease.h"
#include "core/pool/lease_table.h"

namespace warmpool {

struct BufferListing {
  struct Lease {
    LeaseId id;
    RequestId request_id;
    ClientId client_id;
    Holder holder;
    absl::Duration age;
    // Zero: as long as the holder lives.
    absl::Duration ttl_left;
    Access access = Access::kReadOnly;
    LeaseState state = LeaseState::kLive;
    LeaseKind kind = LeaseKind::kHeld;
  };

  std::string name;
  uid_t uid = 0;
  // Bytes asked for, and bytes of the segment.
  uint64_t bytes = 0;
  uint64_t segment_bytes = 0;
  uint64_t generation = 0;
  bool sealed = false;
  // Name of the segment's file in the shared-memory directory.
  std::string file_name;
  // Since it was leased.
  absl::Duration age;
  std::vector<Lease> leases;
};

struct BufferFilter {
  std::string name_prefix;
  // 0: any.
  pid_t holder_pid = 0;
  std::optional<uid_t> uid;
  // Only buffers that this client leased or attached to, with its leases alone.
  std::optional<ClientId> client;
};

struct BufferPage {
  std::vector<BufferListing> buffers;
  // Empty: nothing follows.
  std::string next_page_token;
};

// The first `page_size` buffers from `page_token` on (empty: from the start),
// ordered by name. Those of other uids are shown to an admin only.
// INVALID_ARGUMENT: the token is none that was given.
absl::StatusOr<BufferPage> ListBuffers(const LeaseTable& table,
                                       const Holder& caller,
                                       const BufferFilter& filter,
                                       size_t page_size,
                                       const std::string& page_token,
                                       absl::Time now);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_BUFFER_LISTING_H_
