// LeaseJournal: where the pool's operations record grants, renewals and ends.
// It is a JournalKeeper whose files count in the pool's capacity, and whose
// upkeep is done by the pool's Tick.
//
// Thread-safe. As of JournalKeeper, it is called with no lock held.
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
  // All must outlive this. `journal` may be null: nothing is kept then.
  LeaseJournal(Journal* journal, const Clock* clock, SegmentPool* segments)
      : clock_(*clock), segments_(*segments), keeper_(journal, clock) {}

  // Before the grant is acknowledged. On an error nothing is recorded.
  absl::Status Grant(LeaseRecord record);
  // The same for a lease in the place of another. FAILED_PRECONDITION: the
  // other has ended.
  absl::Status Replace(const LeaseId& replaced, LeaseRecord record);
  // A failure is counted; the next record that is written brings it along.
  void Renew(const LeaseId& id, absl::Duration ttl);
  void End(const LeaseId& id) { keeper_.End(id); }

  // Upkeep, where due. Returns when it is due again.
  absl::Time Keep();
  // Counts what the files have grown by in the pool's capacity.
  void AccountGrowth();
  // Ends the journal's files. REQUIRES: there is a journal, and no lease.
  // Nothing may be called afterwards.
  void EndFiles(SystemCalls* calls);

  JournalKeeper::Counts counts() const { return keeper_.counts(); }
  void CheckInvariants() const { keeper_.CheckInvariants(); }

 private:
  // Accounts for a record, and has Tick called if upkeep is due.
  void AfterWrite();

  const Clock& clock_;
  SegmentPool& segments_;
  JournalKeeper keeper_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_LEASE_JOURNAL_H_
