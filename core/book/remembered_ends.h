// RememberedEnds: ended leases, so that a late release or a repeated request
// gets an answer that says what happened.
//
// Each uid has its own limit, and can't displace the entries of another uid.
// When a uid has no more processes, all its entries are forgotten, a few at a
// time. Externally synchronised; the cost of a call does not grow with the
// number of entries.
#ifndef WARMPOOL_CORE_BOOK_REMEMBERED_ENDS_H_
#define WARMPOOL_CORE_BOOK_REMEMBERED_ENDS_H_

#include <sys/types.h>

#include <cstddef>
#include <deque>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "core/lease/lease.h"

namespace warmpool {

class RememberedEnds {
 public:
  // About 200 bytes each.
  static constexpr size_t kMostOfUid = 16384;

  struct End {
    HolderId holder = 0;
    RequestId request_id;
    LeaseKind kind = LeaseKind::kHeld;
    EndCause cause = EndCause::kReleased;
  };

  // A process of `uid` came or went.
  void AddHolder(uid_t uid);
  void RemoveHolder(uid_t uid);

  // Calls `forget` for each end that is forgotten to make room.
  void Remember(uid_t uid, const LeaseId& lease, const End& end,
                absl::FunctionRef<void(const End&)> forget);

  // Null: not remembered.
  const End* Find(const LeaseId& lease) const;

  void CheckInvariants() const;

 private:
  struct OfUid {
    // Oldest first.
    std::deque<LeaseId> leases;
    size_t holders = 0;
  };
  // How many ends of uids without a holder are forgotten with each new end.
  static constexpr size_t kForgottenAtOnce = 4;

  void ForgetOldest(OfUid* of_uid, absl::FunctionRef<void(const End&)> forget);
  void ForgetUnheld(absl::FunctionRef<void(const End&)> forget);

  absl::btree_map<LeaseId, End> ends_;
  // Uids that have a holder or ends.
  absl::btree_map<uid_t, OfUid> uids_;
  // Those of them without a holder.
  absl::btree_set<uid_t> unheld_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_REMEMBERED_ENDS_H_
