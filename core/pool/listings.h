// Listings: lists holders and what they hold. Each hold of the book's lock
// examines a bounded number of entries.
//
// Thread-safe.
#ifndef WARMPOOL_CORE_POOL_LISTINGS_H_
#define WARMPOOL_CORE_POOL_LISTINGS_H_

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "core/book/buffer_listing.h"
#include "core/book/lease_book.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"

namespace warmpool {

class Listings {
 public:
  // `book` must outlive this.
  explicit Listings(const LeaseBook* book) : book_(*book) {}

  // See Pool.
  absl::StatusOr<BufferPage> List(HolderId holder, const BufferFilter& filter,
                                  size_t page_size,
                                  const std::string& page_token) const;
  std::vector<BufferListing> ListAll(size_t most_leases) const;
  std::vector<UnheldLease> UnheldLeases(std::optional<uid_t> uid,
                                        size_t most) const;
  std::vector<HolderUsage> HolderUsages() const;

 private:
  // Adds some of UnheldLeases after `after`, and sets `after` to the last of
  // them. False: there are no more.
  bool AddUnheld(std::optional<uid_t> uid, LeasePlace* after,
                 std::vector<UnheldLease>* unheld) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(book_.mutex);

  const LeaseBook& book_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_LISTINGS_H_
