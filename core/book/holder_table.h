// HolderTable: the client processes and their leases.
//
// Externally synchronised, as a part of the LeaseTable. The cost of a lookup
// does not grow with the number of holders or leases. Invariant: every holder
// is found by its pid.
#ifndef WARMPOOL_CORE_BOOK_HOLDER_TABLE_H_
#define WARMPOOL_CORE_BOOK_HOLDER_TABLE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "core/book/lease_entries.h"
#include "core/lease/lease.h"

namespace warmpool {

class HolderTable {
 public:
  // False: the holder is known already; its groups are replaced.
  bool Add(Holder holder);
  // REQUIRES: the holder is known and has no leases.
  void Remove(HolderId id);
  // Null: not known.
  const Holder* Find(HolderId id) const;
  size_t size() const { return holders_.size(); }

  // REQUIRES: the lease's holder is known.
  void AddLease(const LeaseEntry& lease);
  void RemoveLease(const LeaseEntry& lease);

  bool HasLeases(HolderId id) const;
  // The first `most` leases of a holder, in order, after `after`.
  std::vector<LeaseId> LeasesOf(HolderId id, size_t most = SIZE_MAX,
                                const LeasePlace& after = {}) const;
  // The leases of all holders with that pid. There is more than one such holder
  // only if a process connects as several uids, or can't be told from others.
  std::vector<const LeasesByBuffer*> LeasesOfPid(pid_t pid) const;
  // Examines the next `most` holders after `*after`, sets `*after` to the last
  // of them, and adds the usage of those that have leases. False: there are no
  // more.
  bool AddUsages(size_t most, HolderId* after,
                 std::vector<HolderUsage>* usages) const;

  // Checks that the holder knows the lease.
  void CheckLease(const LeaseEntry& lease) const;
  // `leases`: the total number. `bytes_of`: the bytes of a lease's segment.
  void CheckInvariants(
      size_t leases,
      absl::FunctionRef<uint64_t(const LeaseId&)> bytes_of) const;

 private:
  struct Entry {
    Holder holder;
    LeasesByBuffer leases;
    // Of the segments.
    uint64_t bytes = 0;
  };

  absl::btree_map<HolderId, Entry> holders_;
  absl::btree_set<std::pair<pid_t, HolderId>> by_pid_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_HOLDER_TABLE_H_
