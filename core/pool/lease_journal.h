// LeaseJournal: records grants, renewals and ends for the pool's operations. It
// is a JournalKeeper whose files count in the pool's capacity. The pool's Tick
// does its upkeep.
//
// Thread-safe. Call it with no lock held, as JournalKeeper requires.
#ifndef WARMPOOL_CORE_POOL_LEASE_JOURNAL_H_
#define WARMPOOL_CORE_POOL_LEASE_JOURNAL_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/engine/segment_pool.h"
#include "core/journal/journal_keeper.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

class Journal;

class LeaseJournal {
 public:
  // All must outlive this. If `journal` is null, nothing is recorded.
  LeaseJournal(Journal* journal, const Clock* clock, SegmentPool* segments)
      : clock_(*clock), segments_(*segments), keeper_(journal, clock) {}

  // Call before the grant is acknowledged. On an error nothing is recorded.
  absl::Status Grant(LeaseRecord record);
  // The same for a lease that replaces another. FAILED_PRECONDITION: the other
  // lease has ended.
  absl::Status Replace(const LeaseId& replaced, LeaseRecord record);
  // A failure is counted; the next successful write includes the record.
  void Renew(const LeaseId& id, absl::Duration ttl);
  void End(const LeaseId& id) { keeper_.End(id); }

  // Does upkeep that is due. Returns when it is due again.
  absl::Time Keep();
  // Counts the growth of the files in the pool's capacity.
  void AccountGrowth();
  // Removes the journal's files. REQUIRES: there is a journal, and no lease.
  // Call no other function afterwards.
  void EndFiles(SystemCalls* calls);

  JournalKeeper::Counts counts() const { return keeper_.counts(); }
  void CheckInvariants() const { keeper_.CheckInvariants(); }

 private:
  // Accounts for a record, and schedules a Tick if upkeep is due.
  void AfterWrite();

  const Clock& clock_;
  SegmentPool& segments_;
  JournalKeeper keeper_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_LEASE_JOURNAL_H_
