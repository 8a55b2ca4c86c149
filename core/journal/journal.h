// Journal: the record of leases that outlives the daemon, so that kill -9 at
// any instruction loses no acknowledged lease.
//
// Two files of one size, "journal" and "journal.spare", in a directory of the
// daemon's own on the filesystem of the segments. Records are appended to the
// first, one write each, into pages that were allocated beforehand. Before its
// room runs out, a snapshot of the live leases is written to the spare and the
// two are exchanged (renameat2(2)), which is atomic: at every instant there is
// one whole journal. A daemon that starts does the same first. Until then,
// which is Begin, it has changed nothing.
//
// That, and growth of the files, is upkeep: steps, whose slow part is done
// while records are appended as ever. An append that finds no room, since
// upkeep has not kept up, does it by itself and at once, which is counted.
//
// Externally synchronised, except for TakeStep. The live leases are kept in
// memory too, as what a snapshot is made of: about 500 bytes each, 200 in each
// file.
// Invariants: a snapshot of the live leases fits into either file, and the end
// of every one of them after it; behind the last record there is room for these
// ends too. So a release never waits for room. Unless behind_, the first file
// says what the live leases are.
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/byte_size.h"
#include "core/base/mutex.h"
#include "core/journal/journal_file.h"
#include "core/journal/journal_format.h"
#include "core/journal/journal_pair.h"
#include "core/journal/journal_parse.h"
#include "core/journal/journal_snapshot.h"
#include "core/lease/lease_record.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

class Journal {
 public:
  static constexpr const char* kDamagedName = JournalPair::kDamagedName;

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
    // how many bytes were cut. The file is kept then, as "journal.damaged".
    std::string damage;
  };

  // One step of upkeep.
  struct Step {
    // Growth: what each file is to have. 0: a write to the spare instead.
    uint64_t grow_to = 0;
    JournalFile* file = nullptr;
    // Number of the snapshot that is written.
    uint64_t snapshot = 0;
    uint64_t offset = 0;
    std::string bytes;
    // The bytes are zeros, over what an earlier use of the file left.
    bool wipes = false;
    // What came of it.
    int grown_files = 0;
    absl::Status status;
  };

  // Replays the journal in the directory, and changes nothing. Another boot's
  // counts for nothing. `calls` and the directory must outlive this.
  // FAILED_PRECONDITION, with the remedy: a later daemon's, in a format that
  // this one can't read.
  // REQUIRES: boot_id has at most kMaxBootIdBytes; no other Journal is open in
  // the directory.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      int directory_fd, const std::string& boot_id, const Options& options,
      SystemCalls* calls, Replay* replay);
  // Goes on with it, as this daemon's; to be called before anything below. What
  // is left in the directory where it fails, or the daemon is killed, says what
  // it said before. RESOURCE_EXHAUSTED, naming bytes: no room for the files,
  // not even a page for each.
  absl::Status Begin();
  // Where the journal was damaged: whether its file could be kept.
  const absl::Status& kept_aside() const { return kept_aside_; }
  // Closes the files and leaves them to the next daemon.
  ~Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // To be called before the grant is acknowledged. If it fails nothing was
  // recorded. RESOURCE_EXHAUSTED, naming bytes: no room, and none to be had.
  // INVALID_ARGUMENT: ValidateLeaseRecord. ALREADY_EXISTS: the lease is live.
  absl::Status AppendGrant(LeaseRecord record);

  // The end of `replaced` and the grant of `record`, which may have the same
  // id, in one: a later daemon finds the one or the other. To be called before
  // any client learns of it. Errors as of AppendGrant, with nothing recorded;
  // NOT_FOUND: `replaced` is not live.
  absl::Status AppendReplacement(const LeaseId& replaced, LeaseRecord record);

  // To be called where the time to live of a lease has changed. NOT_FOUND: it
  // is not live.
  absl::Status AppendRenewal(const LeaseId& id, absl::Duration ttl);

  // Never fails for want of room. The end of a lease that is not live is OK.
  absl::Status AppendEnd(const LeaseId& id);

  // Where a write or an exchange fails, the three above return its status; what
  // a renewal or an end would have recorded is recorded with the next append
  // that succeeds.

  // --- Upkeep, by one caller at a time: PlanStep, TakeStep, CommitStep, until
  // no step is left ---
  bool UpkeepDue() const { return CompactionDue() || GrowthDue(); }
  std::optional<Step> PlanStep();
  // Carries the step out. Called without holding the lock that guards the other
  // methods.
  void TakeStep(Step* step);
  // ABORTED: an append has done meanwhile what it was for; go on. Another error
  // is the step's own: upkeep is to be tried again after a while.
  absl::Status CommitStep(const Step& step);

  // Of all its files.
  uint64_t bytes() const { return files_.bytes(); }
  // Appends that made a snapshot by themselves.
  uint64_t waits() const { return waits_; }

  // The files, for UnmapBatch to end: a daemon that leaves no lease behind
  // leaves no journal, but for one that was damaged. Nothing may be called
  // afterwards.
  std::vector<Segment> TakeFiles() { return files_.Take(); }

  void CheckInvariants() const;

 private:
  Journal(std::string boot_id, const Options& options, JournalPair files,
          ParsedJournal parsed);

  // Room for the live leases, and for Options::bytes if it is to be had.
  absl::Status ReserveToBegin();

  // Makes sure that a record of `bytes` bytes can be appended, after which
  // `leases` are live.
  absl::Status MakeRoomFor(uint64_t bytes, size_t leases);
  void Insert(LeaseRecord record);
  void Erase(const LeaseRecord& lease);

  // Bytes of a snapshot of the live leases.
  uint64_t SnapshotBytes() const { return kJournalHeaderBytes + grant_bytes_; }
  // What must be kept free so that so many leases can end.
  static uint64_t EndBytes(size_t leases) { return leases * kEndRecordBytes; }
  // What the live leases need at least.
  uint64_t KeptBytes() const {
    return SnapshotBytes() + EndBytes(leases_.size());
  }
  // Whether `bytes` more may be appended where `leases` are live thereafter.
  bool Fits(uint64_t bytes, size_t leases) const;
  bool CompactionDue() const;
  bool GrowthDue() const;
  // Doubles both files if `needed` bytes would leave little of them.
  absl::Status GrowIfTight(uint64_t needed);
  // Writes a snapshot to the spare and makes it the journal, in one go.
  absl::Status Compact();
  JournalHeader NextHeader();
  // What remains of making_ to be written, and then makes it the journal.
  absl::Status Finish();
  // Drops making_. Afterwards no step that was planned writes to a file.
  void Abandon();
  absl::Status Exchange(const JournalSnapshot& snapshot);
  // Writes a record behind the last one.
  absl::Status Append(absl::string_view record);

  const std::string boot_id_;
  const Options options_;
  const uint64_t epoch_;
  const bool damaged_;
  absl::Status kept_aside_;

  LeaseRecords leases_;
  uint64_t last_generation_;
  // Bytes of the live leases' grants.
  uint64_t grant_bytes_ = 0;
  uint64_t waits_ = 0;

  JournalPair files_;
  // Number of the last snapshot that was begun.
  uint64_t snapshot_;
  // The one that upkeep is at.
  std::optional<JournalSnapshot> making_;
  // Of the journal: what its records' CRCs begin with, where the next one goes,
  // and the length that its header tells.
  JournalSeed seed_;
  uint64_t end_ = 0;
  uint64_t told_bytes_ = 0;
  // The journal lacks something that leases_ has, or ends in a part of a
  // record: nothing may be appended before a snapshot is made.
  bool behind_ = false;

  // Held for the write of one piece, a copy within memory, by TakeStep alone;
  // whoever wants the spare for something else waits for it.
  Mutex spare_mutex_;
  // The snapshot whose steps may write to the spare.
  std::optional<uint64_t> writable_ ABSL_GUARDED_BY(spare_mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_H_
