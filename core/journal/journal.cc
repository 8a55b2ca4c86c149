#include "core/journal/journal.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/memory/size_class.h"

namespace warmpool {
namespace {

uint64_t RoundUpToPages(uint64_t bytes) {
  return (bytes + kPageSize - 1) / kPageSize * kPageSize;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(
    int directory_fd, const std::string& boot_id, const Options& options,
    SystemCalls* calls, Replay* replay) {
  ASSIGN_OR_RETURN(JournalPair files, JournalPair::Open(calls, directory_fd));
  ASSIGN_OR_RETURN(const std::string bytes, files.journal().ReadAll());

  ParsedJournal parsed = ParseJournal(bytes, boot_id);
  if (parsed.later_version > 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the file \"journal\" is of format version ", parsed.later_version,
        ", this daemon reads ", kOldestJournalVersion, " to ", kJournalVersion,
        ": start a daemon of the version that wrote it; or, to give up the "
        "leases in it, remove the file"));
  }
  replay->leases.assign(parsed.leases.begin(), parsed.leases.end());
  replay->epoch = parsed.epoch + 1;
  replay->last_generation = parsed.last_generation;
  replay->damage = parsed.damage;
  return std::unique_ptr<Journal>(
      new Journal(boot_id, options, std::move(files), std::move(parsed)));
}

Journal::Journal(std::string boot_id, const Options& options, JournalPair files,
                 ParsedJournal parsed)
    : boot_id_(std::move(boot_id)),
      options_(options),
      epoch_(parsed.epoch + 1),
      damaged_(!parsed.damage.empty()),
      leases_(std::move(parsed.leases)),
      last_generation_(parsed.last_generation),
      files_(std::move(files)),
      snapshot_(parsed.snapshot) {
  for (const LeaseRecord& lease : leases_) {
    grant_bytes_ += GrantRecordBytes(lease);
  }
}

absl::Status Journal::Begin() {
  RETURN_IF_ERROR(files_.MakeMissing());
  RETURN_IF_ERROR(ReserveToBegin());
  // A full filesystem must not keep out the daemon that comes to give bytes
  // back: where there is no room for a third file, the damage is only told of.
  if (damaged_) kept_aside_ = files_.KeepAside();
  return Compact();
}

absl::Status Journal::ReserveToBegin() {
  const uint64_t needed = RoundUpToPages(KeptBytes());
  // An earlier daemon may have died after it doubled one of the two.
  absl::Status reserved = files_.Reserve(std::max(
      {RoundUpToPages(options_.bytes), needed, files_.longest_bytes()}));
  // On a full filesystem what they have must do, or as little as will.
  if (files_.capacity() < needed) reserved = files_.Reserve(needed);
  return files_.capacity() >= needed ? absl::OkStatus() : reserved;
}

bool Journal::Fits(uint64_t bytes, size_t leases) const {
  return end_ + bytes + EndBytes(leases) <= files_.capacity();
}

absl::Status Journal::GrowIfTight(uint64_t needed) {
  // A quarter is kept, so that snapshots are rare.
  uint64_t wanted = files_.capacity();
  while (wanted - wanted / 4 < needed) wanted *= 2;
  if (wanted == files_.capacity()) return absl::OkStatus();
  return files_.Reserve(wanted);
}

JournalHeader Journal::NextHeader() {
  JournalHeader header;
  header.boot_id = boot_id_;
  header.epoch = epoch_;
  header.last_generation = last_generation_;
  header.snapshot = ++snapshot_;
  header.file_bytes = files_.spare().backed_bytes();
  return header;
}

absl::Status Journal::Compact() {
  Abandon();
  JournalSnapshot snapshot(NextHeader(), &leases_);
  snapshot.Copy(leases_.size());
  const uint64_t used =
      std::min(files_.spare_used(), files_.spare().backed_bytes());
  files_.set_spare_used(std::max(used, snapshot.bytes()));
  RETURN_IF_ERROR(files_.spare().Write(0, snapshot.Take()));
  RETURN_IF_ERROR(files_.spare().WriteZeros(snapshot.bytes(), used));
  files_.set_spare_used(snapshot.bytes());
  return Exchange(snapshot);
}

absl::Status Journal::Exchange(const JournalSnapshot& snapshot) {
  RETURN_IF_ERROR(files_.Exchange());
  seed_ = snapshot.seed();
  end_ = snapshot.bytes();
  told_bytes_ = snapshot.header().file_bytes;
  behind_ = false;
  return absl::OkStatus();
}

absl::Status Journal::Append(absl::string_view record) {
  files_.set_journal_used(
      std::max(files_.journal_used(), end_ + record.size()));
  absl::Status written = files_.journal().Write(end_, record);
  if (written.ok()) {
    end_ += record.size();
  } else {
    behind_ = true;
  }
  return written;
}

absl::Status Journal::AppendGrant(LeaseRecord record) {
  RETURN_IF_ERROR(ValidateLeaseRecord(record));
  if (leases_.Find(record.id) != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("lease ", record.id.ToHex(), " is live already"));
  }
  RETURN_IF_ERROR(MakeRoomFor(GrantRecordBytes(record), leases_.size() + 1));
  RETURN_IF_ERROR(Append(EncodeGrant(seed_, record)));
  Insert(std::move(record));
  return absl::OkStatus();
}

absl::Status Journal::AppendReplacement(const LeaseId& replaced,
                                        LeaseRecord record) {
  RETURN_IF_ERROR(ValidateLeaseRecord(record));
  const LeaseRecord* const before = leases_.Find(replaced);
  if (before == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("lease ", replaced.ToHex(), " is not live"));
  }
  if (record.id != replaced && leases_.Find(record.id) != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("lease ", record.id.ToHex(), " is live already"));
  }
  RETURN_IF_ERROR(MakeRoomFor(ReplacementRecordBytes(record), leases_.size()));
  RETURN_IF_ERROR(Append(EncodeReplacement(seed_, replaced, record)));
  Erase(*before);
  Insert(std::move(record));
  return absl::OkStatus();
}

absl::Status Journal::MakeRoomFor(uint64_t bytes, size_t leases) {
  if (!behind_ && Fits(bytes, leases)) return absl::OkStatus();
  ++waits_;
  const uint64_t needed = SnapshotBytes() + bytes + EndBytes(leases);
  const absl::Status grown = GrowIfTight(needed);
  if (needed > files_.capacity()) return grown;
  // Growing alone would do, but the header tells the length of its file.
  return Compact();
}

void Journal::Insert(LeaseRecord record) {
  last_generation_ = std::max(last_generation_, record.generation);
  grant_bytes_ += GrantRecordBytes(record);
  leases_.Insert(std::move(record));
}

void Journal::Erase(const LeaseRecord& lease) {
  if (making_.has_value()) making_->RecordEnd(lease);
  grant_bytes_ -= GrantRecordBytes(lease);
  leases_.Erase(LeaseId(lease.id));
}

absl::Status Journal::AppendRenewal(const LeaseId& id, absl::Duration ttl) {
  LeaseRecord* const lease = leases_.Find(id);
  if (lease == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("lease ", id.ToHex(), " is not live"));
  }
  if (ttl < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("lease ", id.ToHex(),
                                                   " can't be renewed for ",
                                                   absl::FormatDuration(ttl)));
  }
  lease->ttl = ttl;
  if (making_.has_value()) making_->RecordRenewal(*lease);
  if (!behind_ && Fits(kRenewalRecordBytes, leases_.size())) {
    return Append(EncodeRenewal(seed_, id, ttl));
  }
  // The snapshot tells it. Where the files can't grow, it fits all the same.
  behind_ = true;
  ++waits_;
  (void)GrowIfTight(KeptBytes() + kRenewalRecordBytes);
  return Compact();
}

absl::Status Journal::AppendEnd(const LeaseId& id) {
  const LeaseRecord* const lease = leases_.Find(id);
  if (lease != nullptr) Erase(*lease);
  if (behind_) {
    ++waits_;
    return Compact();
  }
  if (lease == nullptr) return absl::OkStatus();
  return Append(EncodeEnd(seed_, id));
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
  WARMPOOL_CHECK(SnapshotBytes() <= end_ || behind_,
                 "the journal has every live lease");
  WARMPOOL_CHECK(KeptBytes() <= files_.capacity(),
                 "a snapshot fits, and the ends of all leases after it");
  WARMPOOL_CHECK(Fits(0, leases_.size()), "the ends of all leases fit");
  WARMPOOL_CHECK(end_ <= files_.journal_used(), "what is written is used");
  WARMPOOL_CHECK(
      !making_.has_value() || making_->taken_bytes() <= files_.spare_used(),
      "what is taken of a snapshot is used");
}

}  // namespace warmpool
