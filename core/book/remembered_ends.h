// RememberedEnds: leases that ended, so that a late release or a repeated
// request gets an answer that says what happened.
//
// Each uid has a limit of its own, and nobody pushes out what is remembered for
// another. Of a uid that has no process any more all is forgotten, a few ends
// at a time. Externally synchronised; no call takes longer because much is
// remembered.
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

  // A process of `uid` came, or went.
  void AddHolder(uid_t uid);
  void RemoveHolder(uid_t uid);

  // `forget` is called for each end that is forgotten for it.
  void Remember(uid_t uid, const LeaseId& lease, const End& end,
                absl::FunctionRef<void(const End&)> forget);

  // Null: not remembered.
  const End* Find(const LeaseId& lease) const;

  void CheckInvariants() const;

 private:
  struct OfUid {
    // The oldest first.
    std::deque<LeaseId> leases;
    size_t holders = 0;
  };
  // Ends of uids without a holder that are forgotten with each new one.
  static constexpr size_t kForgottenAtOnce = 4;

  void ForgetOldest(OfUid* of_uid, absl::FunctionRef<void(const End&)> forget);
  void ForgetUnheld(absl::FunctionRef<void(const End&)> forget);

  absl::btree_map<LeaseId, End> ends_;
  // Of those that have a holder, or ends.
  absl::btree_map<uid_t, OfUid> uids_;
  // Of these, the ones without a holder.
  absl::btree_set<uid_t> unheld_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_REMEMBERED_ENDS_H_
