// JournalKeeper: the Journal as many threads use it, and its upkeep.
//
// Thread-safe. A lock of its own puts the records in order; it is held for a
// write, which is a copy within memory, and for a piece of upkeep. Nobody may
// call with a lock held: who waits for a record keeps no one else waiting.
//
// What its callers owe to a daemon that starts after this one was killed: a
// lease is granted here before any client learns of it; until its end is told
// here neither its segment nor its buffer's name becomes another lease's. Else
// that daemon would find two leases on one, and could keep but one of them.
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_KEEPER_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_KEEPER_H_

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/journal/journal.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"
#include "core/memory/segment.h"

namespace warmpool {

class JournalKeeper {
 public:
  struct Counts {
    // Ends and renewals that could not be written.
    uint64_t failed_writes = 0;
    // See Journal::waits.
    uint64_t waits = 0;
  };

  // Both must outlive this. `journal` may be null: then nothing is kept, and
  // everything succeeds.
  JournalKeeper(Journal* journal, const Clock* clock)
      : clock_(*clock), journal_(journal) {}

  // To be called before the grant is acknowledged. Errors as of
  // Journal::AppendGrant, with nothing recorded.
  absl::Status Grant(LeaseRecord record) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for one in the place of another: see Journal::AppendReplacement.
  absl::Status Replace(const LeaseId& replaced, LeaseRecord record)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A failure is counted; the next record that is written brings it along. One
  // that has ended is left alone.
  void Renew(const LeaseId& id, absl::Duration ttl) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for an end.
  void End(const LeaseId& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // When Keep is to be called: InfiniteFuture if nothing is due, or somebody is
  // at it.
  absl::Time NextDue() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Does what is due of upkeep, its slow part under no lock.
  void Keep() ABSL_LOCKS_EXCLUDED(mutex_);
  // Bytes that the files have more than when this was last called.
  uint64_t TakeGrowth() ABSL_LOCKS_EXCLUDED(mutex_);

  // See Journal. REQUIRES: there is one. Nothing may be called afterwards.
  std::vector<Segment> TakeFiles() ABSL_LOCKS_EXCLUDED(mutex_);

  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);
  void CheckInvariants() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void CountLocked(const absl::Status& written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time NextDueLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  // Synchronised by mutex_, but for TakeStep.
  Journal* const journal_;

  mutable Mutex mutex_;
  // What TakeGrowth knows of.
  uint64_t told_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Keep is at it, and when it may be again after it failed.
  bool keeping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time retry_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t failed_writes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_KEEPER_H_
