// ListBuffers: the buffers of a lease table, page by page, as one holder may
// see them.
//
// The caller holds the lock of the table, so the cost of a page does not grow
// with the table. Buffers of a uid, of a name prefix, of a process and of a
// client are found without examining other buffers. With several filters, the
// search examines the buffers that match each filter alone. It examines at most
// kMostLooks entries, including the listed ones. Then the page ends, perhaps
// without a buffer, and the next page continues there.
//
// Pure functions.
#ifndef WARMPOOL_CORE_BOOK_BUFFER_LISTING_H_
#define WARMPOOL_CORE_BOOK_BUFFER_LISTING_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"

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
    // The process that made the ticket, or sealed the lingering buffer. Null: a
    // process has the lease.
    std::shared_ptr<const Process> maker = nullptr;
  };

  std::string name;
  uid_t uid = 0;
  // Requested bytes, and bytes of the segment.
  uint64_t bytes = 0;
  uint64_t segment_bytes = 0;
  uint64_t generation = 0;
  bool sealed = false;
  // Name of the segment's file in the shared-memory directory.
  std::string file_name;
  // Since the buffer was leased.
  absl::Duration age;
  // If there are more than kMostLeasesShown, only some of them. The leases of
  // BufferFilter::holder_pid come first.
  std::vector<Lease> leases;
  // How many leases there are, listed or not.
  size_t total_leases = 0;
};

struct BufferFilter {
  std::string name_prefix;
  // 0: any.
  pid_t holder_pid = 0;
  std::optional<uid_t> uid;
  // Only buffers that this client leased or attached to, with only its leases
  // and all of them. If they do not fit on one page, the next page has the
  // buffer again.
  std::optional<ClientId> client;
};

// How many buffers and leases one page examines, plus or minus
// kMostLeasesShown. Each takes less than a microsecond.
inline constexpr size_t kMostLooks = 1000;
// Per buffer, unless the filter names a client.
inline constexpr size_t kMostLeasesShown = 100;

struct BufferPage {
  std::vector<BufferListing> buffers;
  // Empty: this is the last page. Otherwise more may follow, even if this page
  // has few buffers or none.
  std::string next_page_token;
  // How many buffers and leases were examined.
  size_t looks = 0;
};

// At most `page_size` buffers from `page_token` on (empty: from the start),
// ordered by uid and name. Only admins see buffers of other uids.
// INVALID_ARGUMENT: ListBuffers did not make the token.
absl::StatusOr<BufferPage> ListBuffers(
    const LeaseTable& table, const Holder& caller, const BufferFilter& filter,
    size_t page_size, const std::string& page_token, absl::Time now);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_BUFFER_LISTING_H_
