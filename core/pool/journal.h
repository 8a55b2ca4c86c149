// Journal: the record of leases that outlives the daemon, so that kill -9 at any
// instruction loses no acknowledged lease.
//
// Two files of one size, "journal" and "journal.spare", in a directory of the
// daemon's own on the filesystem of the segments. Records are appended to the
// first, one write each, into pages that were allocated beforehand. When its
// room runs out, a snapshot of the live leases is written to the spare and the
// two are exchanged (renameat2(2)), which is atomic: at every instant there is
// one whole journal. A daemon that starts does the same first.
//
// Externally synchronised. The live leases are kept in memory too, as what a
// snapshot is made of: about 500 bytes each, 200 in each file.
// Invariants: a snapshot of the live leases fits into either file, and the end
// of every one of them after it; behind the last record there is room for these
// ends too. So a release never waits for room. Unless behind_, the first file
// says what the live leases are.
#ifndef WARMPOOL_CORE_POOL_JOURNAL_H_
#define WARMPOOL_CORE_POOL_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/byte_size.h"
#include "core/memory/segment.h"
#include "core/memory/system_calls.h"
#include "core/pool/journal_file.h"
#include "core/pool/journal_format.h"
#include "core/pool/journal_parse.h"
#include "core/pool/lease_record.h"

namespace warmpool {

class Journal {
 public:
  struct Options {
    // Of each of the two files, to begin with. They double when need be.
    uint64_t bytes = kMiB;
  };

  // What earlier daemons left.
  struct Replay {
    // Granted and not ended, in order of grant.
    std::vector<LeaseRecord> leases;
    // This daemon's: one more than the last one's, 1 for the first.
    uint64_t epoch = 1;
    // The highest generation of any lease there was.
    uint64_t last_generation = 0;
    // Empty, or one line: what was wrong with the journal, at which offset, and
    // how many bytes were cut.
    std::string damage;
  };

  // Replays the journal in the directory and goes on with it. Another boot's
  // counts for nothing. What is left in the directory by an Open that failed or
  // was killed is a whole journal still. `calls` and the directory must outlive
  // this. RESOURCE_EXHAUSTED, naming bytes: no room for the files.
  // REQUIRES: boot_id has at most kMaxBootIdBytes; no other Journal is open in
  // the directory.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      int directory_fd, const std::string& boot_id, const Options& options,
      SystemCalls* calls, Replay* replay);
  // Closes the files and leaves them to the next daemon.
  ~Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // To be called before the grant is acknowledged. If it fails nothing was
  // recorded. RESOURCE_EXHAUSTED, naming bytes: no room, and none to be had.
  // INVALID_ARGUMENT: ValidateLeaseRecord. ALREADY_EXISTS: the lease is live.
  absl::Status AppendGrant(const LeaseRecord& record);

  // To be called where the time to live of a lease has changed. NOT_FOUND: it is
  // not live.
  absl::Status AppendRenewal(const LeaseId& id, absl::Duration ttl);

  // Never fails for want of room. The end of a lease that is not live is OK.
  absl::Status AppendEnd(const LeaseId& id);

  // Where a write or an exchange fails, the three above return its status; what
  // a renewal or an end would have recorded is recorded with the next append
  // that succeeds.

  // Of both files.
  uint64_t bytes() const {
    return journal_.backed_bytes() + spare_.backed_bytes();
  }

  // The files, for UnmapBatch to end: a daemon that leaves no lease behind
  // leaves no journal. Nothing may be called afterwards.
  std::vector<Segment> TakeFiles();

  void CheckInvariants() const;

 private:
  Journal(int directory_fd, std::string boot_id, SystemCalls* calls,
          JournalFile journal, JournalFile spare, ParsedJournal parsed);

  absl::Status Start(uint64_t bytes);

  // Bytes of a snapshot of the live leases.
  uint64_t SnapshotBytes() const { return kJournalHeaderBytes + grant_bytes_; }
  // Whether `bytes` more may be appended where `leases` are live thereafter.
  bool Fits(uint64_t bytes, size_t leases) const;
  // Doubles both files if `needed` bytes would leave little of them.
  absl::Status GrowIfTight(uint64_t needed);
  // Writes a snapshot to the spare and makes it the journal.
  absl::Status Compact();
  std::string Snapshot(uint64_t number, JournalSeed* seed) const;
  // Writes a record behind the last one.
  absl::Status Append(absl::string_view record);

  const int directory_fd_;
  const std::string boot_id_;
  const uint64_t epoch_;
  SystemCalls& calls_;

  LeaseRecords leases_;
  uint64_t last_generation_;
  // Bytes of the live leases' grants.
  uint64_t grant_bytes_ = 0;

  JournalFile journal_;
  JournalFile spare_;
  // What may be used of either file.
  uint64_t capacity_ = 0;
  // Number of the last snapshot that was begun.
  uint64_t snapshot_;
  // Of the journal: what its records' CRCs begin with, and where the next one
  // goes.
  JournalSeed seed_;
  uint64_t end_ = 0;
  // Whatever is not zero in the files lies before these offsets.
  uint64_t journal_used_;
  uint64_t spare_used_;
  // The journal lacks something that leases_ has, or ends in a part of a record:
  // nothing may be appended before a snapshot is made.
  bool behind_ = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_JOURNAL_H_
