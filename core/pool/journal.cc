#include "core/pool/journal.h"

#include <stdio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/memory/retry.h"
#include "core/memory/size_class.h"

namespace warmpool {
namespace {

constexpr char kJournalName[] = "journal";
constexpr char kSpareName[] = "journal.spare";

uint64_t RoundUpToPages(uint64_t bytes) {
  return (bytes + kPageSize - 1) / kPageSize * kPageSize;
}

// What must be kept free so that so many leases can end.
uint64_t EndBytes(size_t leases) { return leases * kEndRecordBytes; }

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(
    int directory_fd, const std::string& boot_id, const Options& options,
    SystemCalls* calls, Replay* replay) {
  absl::StatusOr<JournalFile> journal =
      JournalFile::Open(calls, directory_fd, kJournalName);
  if (!journal.ok()) return journal.status();
  absl::StatusOr<JournalFile> spare =
      JournalFile::Open(calls, directory_fd, kSpareName);
  if (!spare.ok()) return spare.status();
  const absl::StatusOr<std::string> bytes = journal->ReadAll();
  if (!bytes.ok()) return bytes.status();

  ParsedJournal parsed = ParseJournal(*bytes, boot_id);
  replay->leases.assign(parsed.leases.begin(), parsed.leases.end());
  replay->epoch = parsed.epoch + 1;
  replay->last_generation = parsed.last_generation;
  replay->damage = parsed.damage;
  std::unique_ptr<Journal> opened(
      new Journal(directory_fd, boot_id, calls, *std::move(journal),
                  *std::move(spare), std::move(parsed)));
  if (absl::Status status = opened->Start(options.bytes); !status.ok()) {
    return status;
  }
  return opened;
}

Journal::Journal(int directory_fd, std::string boot_id, SystemCalls* calls,
                 JournalFile journal, JournalFile spare, ParsedJournal parsed)
    : directory_fd_(directory_fd),
      boot_id_(std::move(boot_id)),
      epoch_(parsed.epoch + 1),
      calls_(*calls),
      leases_(std::move(parsed.leases)),
      last_generation_(parsed.last_generation),
      journal_(std::move(journal)),
      spare_(std::move(spare)),
      snapshot_(parsed.snapshot),
      // What is in them is not known.
      journal_used_(JournalFile::kMaxBytes),
      spare_used_(JournalFile::kMaxBytes) {
  for (const LeaseRecord& lease : leases_) {
    grant_bytes_ += GrantRecordBytes(lease);
  }
}

absl::Status Journal::Start(uint64_t bytes) {
  const uint64_t needed = SnapshotBytes() + EndBytes(leases_.size());
  // An earlier daemon may have died after it doubled one of the two.
  const uint64_t wanted = std::max({RoundUpToPages(std::max(bytes, needed)),
                                    journal_.size_bytes(), spare_.size_bytes()});
  absl::Status reserved = spare_.Reserve(wanted);
  reserved.Update(journal_.Reserve(wanted));
  capacity_ = std::min(journal_.backed_bytes(), spare_.backed_bytes());
  // On a full filesystem what they have must do.
  if (capacity_ < needed) return reserved;
  return Compact();
}

bool Journal::Fits(uint64_t bytes, size_t leases) const {
  return end_ + bytes + EndBytes(leases) <= capacity_;
}

absl::Status Journal::GrowIfTight(uint64_t needed) {
  // A quarter is kept, so that snapshots are rare.
  uint64_t wanted = capacity_;
  while (wanted - wanted / 4 < needed) wanted *= 2;
  if (wanted == capacity_) return absl::OkStatus();
  absl::Status grown = spare_.Reserve(wanted);
  if (grown.ok()) grown = journal_.Reserve(wanted);
  capacity_ = std::min(journal_.backed_bytes(), spare_.backed_bytes());
  return grown;
}

std::string Journal::Snapshot(uint64_t number, JournalSeed* seed) const {
  JournalHeader header;
  header.boot_id = boot_id_;
  header.epoch = epoch_;
  header.last_generation = last_generation_;
  header.snapshot = number;
  header.file_bytes = spare_.backed_bytes();
  std::string bytes = EncodeJournalHeader(header, seed);
  bytes.reserve(SnapshotBytes());
  for (const LeaseRecord& lease : leases_) {
    bytes.append(EncodeGrant(*seed, lease));
  }
  return bytes;
}

absl::Status Journal::Compact() {
  JournalSeed seed;
  const std::string snapshot = Snapshot(++snapshot_, &seed);
  const uint64_t used = std::min(spare_used_, spare_.backed_bytes());
  spare_used_ = std::max<uint64_t>(spare_used_, snapshot.size());
  absl::Status status = spare_.Write(0, snapshot);
  if (status.ok()) status = spare_.WriteZeros(snapshot.size(), used);
  if (!status.ok()) return status;
  spare_used_ = snapshot.size();
  const int exchanged = RetryOnInterrupt([&] {
    return calls_.Rename(directory_fd_, kSpareName, directory_fd_, kJournalName,
                         RENAME_EXCHANGE);
  });
  if (exchanged < 0) {
    return absl::ErrnoToStatus(-exchanged,
                               "can't exchange the journal and its spare");
  }
  std::swap(journal_, spare_);
  std::swap(journal_used_, spare_used_);
  seed_ = seed;
  end_ = snapshot.size();
  behind_ = false;
  return absl::OkStatus();
}

absl::Status Journal::Append(absl::string_view record) {
  journal_used_ = std::max(journal_used_, end_ + record.size());
  absl::Status written = journal_.Write(end_, record);
  if (written.ok()) {
    end_ += record.size();
  } else {
    behind_ = true;
  }
  return written;
}

absl::Status Journal::AppendGrant(const LeaseRecord& record) {
  if (absl::Status valid = ValidateLeaseRecord(record); !valid.ok()) {
    return valid;
  }
  if (leases_.Find(record.id) != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("lease ", record.id.ToHex(), " is live already"));
  }
  const uint64_t bytes = GrantRecordBytes(record);
  const size_t leases = leases_.size() + 1;
  if (behind_ || !Fits(bytes, leases)) {
    const uint64_t needed = SnapshotBytes() + bytes + EndBytes(leases);
    const absl::Status grown = GrowIfTight(needed);
    if (needed > capacity_) return grown;
    // Growing alone would do, but the header tells the length of its file.
    if (absl::Status status = Compact(); !status.ok()) return status;
  }
  absl::Status written = Append(EncodeGrant(seed_, record));
  if (!written.ok()) return written;
  leases_.Insert(record);
  grant_bytes_ += bytes;
  last_generation_ = std::max(last_generation_, record.generation);
  return absl::OkStatus();
}

absl::Status Journal::AppendRenewal(const LeaseId& id, absl::Duration ttl) {
  LeaseRecord* const lease = leases_.Find(id);
  if (lease == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("lease ", id.ToHex(), " is not live"));
  }
  if (ttl < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("lease ", id.ToHex(), " can't be renewed for ",
                     absl::FormatDuration(ttl)));
  }
  lease->ttl = ttl;
  if (!behind_ && Fits(kRenewalRecordBytes, leases_.size())) {
    return Append(EncodeRenewal(seed_, id, ttl));
  }
  // The snapshot tells it. Where the files can't grow, it fits all the same.
  behind_ = true;
  (void)GrowIfTight(SnapshotBytes() + kRenewalRecordBytes +
                    EndBytes(leases_.size()));
  return Compact();
}

absl::Status Journal::AppendEnd(const LeaseId& id) {
  const LeaseRecord* const lease = leases_.Find(id);
  if (lease != nullptr) {
    grant_bytes_ -= GrantRecordBytes(*lease);
    leases_.Erase(id);
  }
  if (behind_) return Compact();
  if (lease == nullptr) return absl::OkStatus();
  return Append(EncodeEnd(seed_, id));
}

std::vector<Segment> Journal::TakeFiles() {
  std::vector<Segment> files;
  files.push_back(journal_.Take(kJournalName));
  files.push_back(spare_.Take(kSpareName));
  return files;
}

void Journal::CheckInvariants() const {
  uint64_t grant_bytes = 0;
  uint64_t generation = 0;
  for (const LeaseRecord& lease : leases_) {
    grant_bytes += GrantRecordBytes(lease);
    generation = std::max(generation, lease.generation);
    WARMPOOL_CHECK(ValidateLeaseRecord(lease).ok(), "a live lease is valid");
  }
  WARMPOOL_CHECK(grant_bytes_ == grant_bytes, "grants have the bytes counted");
  WARMPOOL_CHECK(last_generation_ >= generation,
                 "no lease has a later generation than the last");
  WARMPOOL_CHECK(capacity_ == std::min(journal_.backed_bytes(),
                                       spare_.backed_bytes()),
                 "what may be used is in both files");
  WARMPOOL_CHECK(SnapshotBytes() <= end_ || behind_,
                 "the journal has every live lease");
  WARMPOOL_CHECK(SnapshotBytes() + EndBytes(leases_.size()) <= capacity_,
                 "a snapshot fits, and the ends of all leases after it");
  WARMPOOL_CHECK(end_ + EndBytes(leases_.size()) <= capacity_,
                 "the ends of all leases fit");
  WARMPOOL_CHECK(end_ <= journal_used_, "what is written is used");
}

}  // namespace warmpool
