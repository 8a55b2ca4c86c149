// How leases outlive the daemon that granted them: by its journal, or by their
// clients' word for them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/caching/unmap_batch.h"
#include "core/memory/size_class.h"
#include "core/pool/pool.h"

namespace warmpool {
namespace {

// A daemon that grants a billion leases a second takes a century to get there.
constexpr uint64_t kMaxAssertedGeneration = uint64_t{1} << 62;

// The segment as it was leased, whatever its file has become since: the proof
// sees to that when the lease ends. Its class does not depend on the largest
// request that this daemon allows.
Segment AsLeased(Segment found, const LeaseRecord& record) {
  static const auto* const all = new SizeClasses(SizeClasses::kMaxMaxBytes);
  const absl::StatusOr<SizeClass> size_class = all->For(record.segment_bytes);
  Segment segment(size_class.value_or(found.size_class()),
                  record.segment_bytes, record.owner);
  segment.set_page_bytes(record.page_bytes);
  std::swap(segment.parts(), found.parts());
  return segment;
}

}  // namespace

LeaseRecord Pool::RecordOf(const LeaseTable::Lease& lease,
                           const LeaseTable::Buffer& buffer) const {
  const Holder& holder = *table_.FindHolder(lease.holder);
  LeaseRecord record;
  record.id = lease.id;
  record.request_id = lease.request_id;
  record.client_id = lease.client_id;
  record.holder_pid = holder.pid;
  record.holder_uid = holder.uid;
  record.holder_instance = holder.instance;
  record.holder_command = holder.command;
  record.file_name = buffer.segment.file_name();
  record.buffer_name = buffer.name;
  record.owner = buffer.uid;
  record.bytes = buffer.bytes;
  record.segment_bytes = buffer.segment.bytes();
  record.page_bytes = buffer.segment.page_bytes();
  record.generation = buffer.generation;
  record.access = lease.access;
  record.warmth = lease.warmth;
  record.zeroed = lease.zeroed;
  record.ttl = lease.ttl;
  record.granted_at = lease.granted_at;
  return record;
}

absl::Status Pool::JournalGrantLocked(const LeaseTable::Lease& lease,
                                      const LeaseTable::Buffer& buffer) {
  if (journal_ == nullptr) return absl::OkStatus();
  return journal_->AppendGrant(RecordOf(lease, buffer));
}

void Pool::NoteJournalledLocked(const absl::Status& written) {
  if (!written.ok()) ++counts_.failed_journal_writes;
}

void Pool::EndJournal() {
  std::vector<Segment> files;
  {
    MutexLock lock(&mutex_);
    WARMPOOL_CHECK(table_.lease_count() == 0, "live leases lose their journal");
    files = journal_->TakeFiles();
  }
  UnmapBatch batch(&calls_, {.drain = UnmapBatch::Drain::kInline,
                             .threshold_bytes = 0});
  for (Segment& file : files) batch.Add(std::move(file), clock_.Now());
}

Pool::Recovery Pool::Recover(const std::vector<RecoveredLease>& leases,
                             uint64_t last_generation,
                             std::vector<Segment> leftovers) {
  absl::flat_hash_map<std::string, Segment> segments;
  Recovery recovery;
  for (Segment& segment : leftovers) {
    // Its lease had ended before it was set aside.
    if (segment.set_aside()) {
      ++recovery.leftovers;
      segments_.Adopt(std::move(segment));
      continue;
    }
    std::string name = segment.file_name();
    segments.emplace(std::move(name), std::move(segment));
  }
  {
    MutexLock lock(&mutex_);
    last_generation_ = std::max(last_generation_, last_generation);
    for (const RecoveredLease& lease : leases) {
      RecoverLeaseLocked(lease, &segments);
    }
    recovery.leases = table_.lease_count();
    recovery.ended_leases = leases.size() - recovery.leases;
  }
  recovery.leftovers += segments.size();
  for (auto& [name, segment] : segments) segments_.Adopt(std::move(segment));
  return recovery;
}

void Pool::RecoverLeaseLocked(
    const RecoveredLease& recovered,
    absl::flat_hash_map<std::string, Segment>* segments) {
  const LeaseRecord& record = recovered.record;
  LeaseTable::Buffer* buffer =
      table_.FindBuffer(record.owner, record.buffer_name);
  const auto found = segments->find(record.file_name);
  const bool known =
      buffer != nullptr && buffer->segment.file_name() == record.file_name;
  // A name on two files was not written by a daemon.
  const bool taken = buffer != nullptr && !known;
  if (table_.FindHolder(recovered.holder) == nullptr || taken ||
      (!known && found == segments->end())) {
    NoteJournalledLocked(journal_->AppendEnd(record.id));
    return;
  }
  LeaseTable::Lease lease =
      NewLease(recovered.holder, record.request_id, record.client_id,
               record.ttl, record.access);
  lease.id = record.id;
  lease.state = LeaseState::kRecovering;
  lease.warmth = record.warmth;
  lease.zeroed = record.zeroed;
  lease.granted_at = record.granted_at;
  lease.touched_at = record.granted_at;
  ++counts_.recovered;
  quota_.Force(record.owner, known ? 0 : record.segment_bytes);
  if (known) {
    table_.AddLease(buffer, std::move(lease));
    return;
  }
  LeaseTable::Buffer made;
  made.name = record.buffer_name;
  made.uid = record.owner;
  made.bytes = record.bytes;
  made.generation = record.generation;
  made.segment = AsLeased(std::move(found->second), record);
  made.granted_at = record.granted_at;
  segments->erase(found);
  last_generation_ = std::max(last_generation_, record.generation);
  segments_.AdoptLeased(made.segment);
  // A live lease's name can't be taken: the journal has each name once.
  table_.ReserveName(made.uid, made.name, clock_.Now()).IgnoreError();
  table_.AddBuffer(std::move(made), std::move(lease));
}

absl::StatusOr<absl::Duration> Pool::Assert(HolderId holder,
                                            const AssertedLease& asserted) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(asserted.ttl);
  if (!ttl.ok()) return ttl.status();
  const absl::Status valid = ValidateBufferName(asserted.buffer_name);
  if (!valid.ok()) return valid;
  // Generations go on from the highest there was, for everybody.
  if (asserted.generation > kMaxAssertedGeneration) {
    return absl::InvalidArgumentError(absl::StrCat(
        "generation ", asserted.generation, " is none that was ever given"));
  }
  uid_t uid = 0;
  bool settled = false;
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<bool> on_live =
        AssertOnLiveLocked(holder, asserted, *ttl);
    if (!on_live.ok()) return on_live.status();
    settled = *on_live;
    uid = table_.FindHolder(holder)->uid;
  }
  if (!settled) {
    const absl::Status taken_up = AssertOnLeftover(holder, uid, asserted, *ttl);
    if (!taken_up.ok()) return taken_up;
  }
  AccountJournal();
  if (*ttl > absl::ZeroDuration()) segments_.NoteDue(clock_.Now() + *ttl);
  return *ttl;
}

absl::StatusOr<bool> Pool::AssertOnLiveLocked(HolderId holder,
                                              const AssertedLease& asserted,
                                              absl::Duration ttl) {
  const Holder* const caller = table_.FindHolder(holder);
  if (caller == nullptr) {
    return absl::UnavailableError("the holder's process is gone");
  }
  const absl::Time now = clock_.Now();
  const absl::StatusOr<const LeaseTable::Lease*> known = table_.Find(
      holder, {asserted.id, asserted.generation}, /*as_admin=*/false);
  if (known.ok() && *known != nullptr) {
    RenewLocked(**known, ttl, now);
    return true;
  }
  if (known.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("lease ", asserted.id.ToHex(), " was released"));
  }
  if (!absl::IsNotFound(known.status())) return known.status();
  const absl::StatusOr<const LeaseTable::Lease*> begun =
      table_.Begin(holder, asserted.request_id);
  if (!begun.ok()) return begun.status();
  if (*begun != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("request id ", asserted.request_id.ToHex(),
                     " was answered with another lease"));
  }
  LeaseTable::Buffer* const buffer =
      table_.FindBuffer(caller->uid, asserted.buffer_name);
  absl::Status status;
  if (buffer == nullptr) {
    status = table_.ReserveName(caller->uid, asserted.buffer_name, now);
    if (status.ok()) return false;
  } else if (buffer->segment.file_name() != asserted.file_name ||
             buffer->generation != asserted.generation) {
    status = absl::FailedPreconditionError(
        absl::StrCat("the name \"", asserted.buffer_name,
                     "\" is another buffer's by now"));
  } else {
    LeaseTable::Lease lease = AssertedToLease(holder, asserted, ttl);
    status = quota_.Reserve(buffer->uid, 0);
    if (status.ok()) {
      status = JournalGrantLocked(lease, *buffer);
      if (!status.ok()) quota_.Release(buffer->uid, 0);
    }
    if (status.ok()) {
      ++counts_.asserted;
      table_.AddLease(buffer, std::move(lease));
      return true;
    }
  }
  table_.Abandon(holder, asserted.request_id);
  return status;
}

absl::Status Pool::AssertOnLeftover(HolderId holder, uid_t uid,
                                    const AssertedLease& asserted,
                                    absl::Duration ttl) {
  std::optional<Segment> segment =
      segments_.TakeQuarantined(asserted.file_name, uid);
  LeaseTable::Buffer buffer;
  buffer.name = asserted.buffer_name;
  buffer.uid = uid;
  buffer.bytes = asserted.bytes;
  buffer.generation = asserted.generation;
  absl::Status status;
  if (!segment.has_value()) {
    status = absl::NotFoundError(
        absl::StrCat("no segment ", asserted.file_name, " is left of lease ",
                     asserted.id.ToHex()));
  } else {
    buffer.segment = *std::move(segment);
    if (asserted.bytes == 0 || asserted.bytes > buffer.segment.bytes()) {
      status = absl::FailedPreconditionError(absl::StrCat(
          "segment ", asserted.file_name, " has ", buffer.segment.bytes(),
          " bytes, the lease says ", asserted.bytes));
    }
  }
  {
    MutexLock lock(&mutex_);
    if (status.ok()) {
      status = CommitAssertedLocked(AssertedToLease(holder, asserted, ttl),
                                    &buffer);
    }
    if (!status.ok()) {
      table_.AbandonName(uid, asserted.buffer_name);
      table_.Abandon(holder, asserted.request_id);
    }
  }
  if (!buffer.segment.empty()) {
    // Another may have a better claim to it.
    segments_.PutBackLeftover(std::move(buffer.segment));
  }
  return status;
}

absl::Status Pool::CommitAssertedLocked(LeaseTable::Lease lease,
                                        LeaseTable::Buffer* buffer) {
  if (table_.FindHolder(lease.holder) == nullptr || revoked_) {
    return absl::UnavailableError(
        "the holder's process is gone, or every lease was revoked");
  }
  const absl::Status known =
      table_.Find(lease.holder, {lease.id, 0}, /*as_admin=*/true).status();
  if (!absl::IsNotFound(known)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "lease ", lease.id.ToHex(), " was asserted twice at once"));
  }
  const absl::Status journalled = JournalGrantLocked(lease, *buffer);
  if (!journalled.ok()) return journalled;
  buffer->granted_at = lease.granted_at;
  last_generation_ = std::max(last_generation_, buffer->generation);
  ++counts_.asserted;
  quota_.Force(buffer->uid, buffer->segment.bytes());
  table_.AddBuffer(std::move(*buffer), std::move(lease));
  return absl::OkStatus();
}

LeaseTable::Lease Pool::AssertedToLease(HolderId holder,
                                        const AssertedLease& asserted,
                                        absl::Duration ttl) const {
  LeaseTable::Lease lease = NewLease(holder, asserted.request_id,
                                     asserted.client_id, ttl, asserted.access);
  lease.id = asserted.id;
  lease.warmth = Warmth::kWarm;
  return lease;
}

}  // namespace warmpool
