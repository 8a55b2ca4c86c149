// JournalSnapshot: the bytes of a journal that begins with the live leases,
// made piece by piece while these change.
//
// It walks over the leases. Of those that it has copied it also takes the
// renewals and ends; the others are copied as they are when their turn comes.
// So the result is a journal as any other: each lease is granted before it is
// renewed or ended, and the live ones come in order of grant.
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_SNAPSHOT_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/journal/journal_format.h"
#include "core/lease/lease_record.h"

namespace warmpool {

// Externally synchronised, together with the leases.
class JournalSnapshot {
 public:
  // `leases` must outlive this; their walk is this one's.
  JournalSnapshot(const JournalHeader& header, LeaseRecords* leases);

  // Copies up to `count` leases more. False where that was not all.
  bool Copy(size_t count);

  // To be called for each lease whose time to live has changed, and before each
  // is erased.
  void RecordRenewal(const LeaseRecord& lease);
  void RecordEnd(const LeaseRecord& lease);

  const JournalHeader& header() const { return header_; }
  JournalSeed seed() const { return seed_; }
  // Bytes of it so far, and how many of them Take has given.
  uint64_t bytes() const { return taken_bytes_ + pending_.size(); }
  uint64_t taken_bytes() const { return taken_bytes_; }
  // What is there and was not given yet: it belongs at taken_bytes().
  std::string Take();

 private:
  const JournalHeader header_;
  LeaseRecords& leases_;
  JournalSeed seed_;
  // The highest generation that it tells.
  uint64_t generation_;
  std::string pending_;
  uint64_t taken_bytes_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_SNAPSHOT_H_
