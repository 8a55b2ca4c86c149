// ListBuffers: the buffers of a lease table, page by page, as one holder may
// see them.
//
// A page costs no more where the table is large: whoever makes one holds the
// lock that everybody needs. The buffers of a uid, those whose names start
// alike, those of a process and those of a client are found without a look at
// any other. What fits several of these filters is looked for among what fits
// each of them, and that, with what is shown, is kMostLooks at most: then the
// page ends, perhaps without a buffer, and the next goes on from there.
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
    // Who made the ticket, or sealed what lingers. Null: a process has the
    // lease.
    std::shared_ptr<const Process> maker = nullptr;
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
  // Not all of them where there are more than kMostLeasesShown. With
  // BufferFilter::holder_pid that process's come first.
  std::vector<Lease> leases;
  // How many there are, shown or not.
  size_t total_leases = 0;
};

struct BufferFilter {
  std::string name_prefix;
  // 0: any.
  pid_t holder_pid = 0;
  std::optional<uid_t> uid;
  // Only buffers that this client leased or attached to, with its leases alone,
  // and with all of these: where they are too many for a page the buffer is on
  // the next one again.
  std::optional<ClientId> client;
};

// Buffers and leases that are looked at for one page, give or take
// kMostLeasesShown: less than a microsecond each.
inline constexpr size_t kMostLooks = 1000;
// Of a buffer, as long as no client's leases are asked for.
inline constexpr size_t kMostLeasesShown = 100;

struct BufferPage {
  std::vector<BufferListing> buffers;
  // Empty: nothing follows. Otherwise something may, however little is on this
  // page.
  std::string next_page_token;
  // Buffers and leases that were looked at for it.
  size_t looks = 0;
};

// At most `page_size` buffers from `page_token` on (empty: from the start),
// ordered by uid and name. Those of other uids are shown to an admin only.
// INVALID_ARGUMENT: the token is none that was given.
absl::StatusOr<BufferPage> ListBuffers(
    const LeaseTable& table, const Holder& caller, const BufferFilter& filter,
    size_t page_size, const std::string& page_token, absl::Time now);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_BUFFER_LISTING_H_
