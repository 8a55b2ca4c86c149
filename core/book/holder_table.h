// HolderTable: the client processes, and which leases each has.
//
// Externally synchronised, as a part of the LeaseTable. Lookups cost no more
// where there are many holders, or where one has many leases. Invariant: every
// holder is found by its pid.
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
  // False: the holder is known, and only its groups become those.
  bool Add(Holder holder);
  // REQUIRES: it is known, and has no leases.
  void Remove(HolderId id);
  // Null: it is not known.
  const Holder* Find(HolderId id) const;
  size_t size() const { return holders_.size(); }

  // REQUIRES: the lease's holder is known.
  void AddLease(const LeaseEntry& lease);
  void RemoveLease(const LeaseEntry& lease);

  bool HasLeases(HolderId id) const;
  // Leases of a holder: the first `most` of them, or the first behind `after`.
  std::vector<LeaseId> LeasesOf(HolderId id, size_t most = SIZE_MAX,
                                const LeasePlace& after = {}) const;
  // Those of the holders whose processes have that pid: one, but for processes
  // that connect as several uids, or that can't be told from others.
  std::vector<const LeasesByBuffer*> LeasesOfPid(pid_t pid) const;
  // Looks at `most` holders, from the one after `*after` on, which becomes the
  // last of them; adds what each has that has a lease. False: there are no
  // more.
  bool AddUsages(size_t most, HolderId* after,
                 std::vector<HolderUsage>* usages) const;

  // The holder knows the lease.
  void CheckLease(const LeaseEntry& lease) const;
  // `leases`: how many there are in all. `bytes_of`: of a lease's segment.
  void CheckInvariants(
      size_t leases,
      absl::FunctionRef<uint64_t(const LeaseId&)> bytes_of) const;

 private:
  struct Entry {
    Holder holder;
    LeasesByBuffer leases;
    // Of their segments.
    uint64_t bytes = 0;
  };

  absl::btree_map<HolderId, Entry> holders_;
  absl::btree_set<std::pair<pid_t, HolderId>> by_pid_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_HOLDER_TABLE_H_
