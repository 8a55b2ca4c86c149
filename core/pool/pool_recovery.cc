// How leases outlive the daemon that granted them: by its journal, or by their
// clients' word for them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/memory/directory/segment_name.h"
#include "core/memory/size_class.h"
#include "core/pool/pool.h"

namespace warmpool {
namespace {

// Generations go on from the highest there was, for everybody. A client's word
// moves that by so much at most, beyond what the journal knows: a daemon that
// lost its journal grants a million leases a second for twelve days to get
// there.
constexpr uint64_t kGenerationMargin = uint64_t{1} << 40;

// The segment as it was leased, whatever its file has become since: the proof
// sees to that when the lease ends. Its class does not depend on the largest
// request that this daemon allows.
Segment AsLeased(Segment found, const LeaseRecord& record) {
  static const auto* const all = new SizeClasses(SizeClasses::kMaxMaxBytes);
  const absl::StatusOr<SizeClass> size_class = all->For(record.segment_bytes);
  Segment segment(size_class.value_or(found.size_class()), record.segment_bytes,
                  record.owner);
  segment.set_page_bytes(record.page_bytes);
  segment.set_sealed(found.sealed());
  std::swap(segment.parts(), found.parts());
  // What other leases there were on it, the journal no longer tells. Under the
  // next name it was known to nobody.
  if (segment.file_name() == record.file_name) segment.set_name_is_stale();
  return segment;
}

}  // namespace

Pool::Recovery Pool::Recover(const std::vector<RecoveredLease>& leases,
                             uint64_t last_generation,
                             std::vector<Segment> leftovers) {
  segments_.AddOverhead(journal_.TakeGrowth());
  absl::flat_hash_map<std::string, Segment> segments;
  Recovery recovery;
  directory_.SetAsideStrays(&leftovers, &recovery.left_alone);
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
  std::vector<LeaseId> ended;
  // Members of channels whose leases did not survive, and what is left of the
  // leases on the buffers that they had.
  std::vector<const LeaseRecord*> lost_members;
  std::vector<LeaseId> set_aside;
  // By the lease that they follow.
  std::vector<std::pair<LeaseId, LeaseRecord>> lingering;
  {
    MutexLock lock(&mutex_);
    last_generation_ = std::max(last_generation_, last_generation);
    for (const RecoveredLease& lease : leases) {
      const LeaseId& id = lease.record.id;
      if (lease.record.kind != LeaseKind::kHeld) {
        if (RecoverLeaseLocked({lease.record, kPoolHolder}, &segments))
          continue;
      } else if (RecoverLeaseLocked(lease, &segments)) {
        continue;
      } else if (lease.record.linger > absl::ZeroDuration()) {
        const LeaseRecord successor = LingeringAfter(lease.record);
        if (RecoverLeaseLocked({successor, kPoolHolder}, &segments)) {
          lingering.emplace_back(id, successor);
          continue;
        }
      }
      ended.push_back(id);
      if (!ChannelOf(lease.record.buffer_name).empty()) {
        lost_members.push_back(&lease.record);
      }
    }
    for (const LeaseRecord* const lost : lost_members) {
      const LeaseTable::Buffer* const buffer =
          table_.FindBuffer(lost->owner, lost->buffer_name);
      if (buffer == nullptr) continue;
      set_aside.insert(set_aside.end(), buffer->leases.begin(),
                       buffer->leases.end());
    }
  }
  events_.Wake();
  // Before the journal forgets why.
  EndEach(set_aside, EndCause::kRevoked);
  for (const LeaseId& id : ended) journal_.End(id);
  for (const auto& [id, successor] : lingering) {
    // After a write that failed, the second attempt makes a snapshot first.
    const bool kept = journal_.Replace(id, successor).ok() ||
                      journal_.Replace(id, successor).ok();
    // The journal must not have a lease on its segment for longer than the
    // pool. Without it a later daemon does not let the buffer linger.
    if (!kept) journal_.End(id);
  }
  {
    MutexLock lock(&mutex_);
    recovery.leases = table_.lease_count();
  }
  recovery.ended_leases = ended.size();
  recovery.leftovers += segments.size();
  for (auto& [name, segment] : segments) segments_.Adopt(std::move(segment));
  return recovery;
}

LeaseRecord Pool::LingeringAfter(const LeaseRecord& ended) const {
  LeaseRecord record = ended;
  record.id = random_.Next();
  record.request_id = record.id;
  record.client_id = ClientId();
  // Its maker.
  record.holder_instance = 0;
  record.kind = LeaseKind::kLingering;
  record.ttl = ended.linger;
  record.linger = absl::ZeroDuration();
  record.granted_at = clock_.Now();
  return record;
}

bool Pool::RecoverLeaseLocked(
    const RecoveredLease& recovered,
    absl::flat_hash_map<std::string, Segment>* segments) {
  const LeaseRecord& record = recovered.record;
  LeaseTable::Buffer* buffer =
      table_.FindBuffer(record.owner, record.buffer_name);
  auto found = segments->find(record.file_name);
  // Killed while the ticket was being claimed.
  if (found == segments->end() && record.kind == LeaseKind::kTicket) {
    found = segments->find(NextSegmentName(record.file_name));
  }
  const bool known =
      buffer != nullptr && buffer->segment.file_name() == record.file_name;
  // A name on two files was not written by a daemon.
  const bool taken = buffer != nullptr && !known;
  if (table_.FindHolder(recovered.holder) == nullptr || taken ||
      (!known && found == segments->end())) {
    return false;
  }
  LeaseTable::Lease lease =
      NewLease(recovered.holder, record.request_id, record.client_id,
               record.ttl, record.access);
  lease.id = record.id;
  lease.kind = record.kind;
  if (record.kind != LeaseKind::kHeld) {
    lease.maker = std::make_shared<const Process>(
        Process{record.holder_pid, record.holder_uid, record.holder_command});
  }
  lease.linger = record.linger;
  // Nobody is expected to show himself for one that nobody has.
  lease.state = record.kind == LeaseKind::kHeld ? LeaseState::kRecovering
                                                : LeaseState::kLive;
  lease.warmth = record.warmth;
  lease.zeroed = record.zeroed;
  lease.granted_at = record.granted_at;
  lease.touched_at = record.granted_at;
  ++counts_.recovered;
  // A reader of another uid has the lease, but not the bytes.
  quota_.Force(
      record.kind == LeaseKind::kHeld ? record.holder_uid : record.owner, 0);
  if (!known) quota_.ForceBytes(record.owner, record.segment_bytes);
  if (known) {
    table_.AddLease(buffer, std::move(lease));
    return true;
  }
  LeaseTable::Buffer made;
  made.name = record.buffer_name;
  made.uid = record.owner;
  made.bytes = record.bytes;
  made.generation = record.generation;
  made.sealed = record.sealed;
  made.share_with = record.share_with;
  made.segment = AsLeased(std::move(found->second), record);
  made.granted_at = record.granted_at;
  segments->erase(found);
  last_generation_ = std::max(last_generation_, record.generation);
  segments_.AdoptLeased(made.segment);
  // A live lease's name can't be taken: the journal has each name once.
  table_.ReserveName(made.uid, made.name, clock_.Now()).IgnoreError();
  // Before the first request nobody waits.
  Woken none;
  AddBufferLocked(std::move(made), std::move(lease), &none);
  return true;
}

absl::StatusOr<absl::Duration> Pool::Assert(HolderId holder,
                                            const AssertedLease& asserted) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(asserted.ttl);
  if (!ttl.ok()) return ttl.status();
  const absl::Status valid = ValidateGivenName(asserted.buffer_name);
  if (!valid.ok()) return valid;
  if (asserted.sealed && asserted.access != Access::kReadOnly) {
    return absl::InvalidArgumentError(
        absl::StrCat("buffer \"", asserted.buffer_name,
                     "\" is sealed: there is no lease to write to it"));
  }
  absl::StatusOr<AssertionPlan> plan;
  {
    MutexLock lock(&mutex_);
    plan = PlanAssertionLocked(holder, asserted, *ttl);
  }
  if (!plan.ok()) return plan.status();
  absl::Status taken_up;
  switch (plan->on) {
    case AssertionPlan::On::kLease:
      if (!plan->renewal_is_news) break;
      journal_.Renew(asserted.id, *ttl);
      AccountJournal();
      break;
    case AssertionPlan::On::kBuffer:
      taken_up =
          CommitOnLive(plan->holder, AssertedToLease(holder, asserted, *ttl),
                       plan->buffer, &Stats::asserted)
              .status();
      break;
    case AssertionPlan::On::kLeftover:
      taken_up = AssertOnLeftover(plan->holder, asserted, *ttl);
      break;
  }
  if (!taken_up.ok()) return taken_up;
  if (*ttl > absl::ZeroDuration()) segments_.ScheduleTick(clock_.Now() + *ttl);
  return *ttl;
}

absl::StatusOr<Pool::AssertionPlan> Pool::PlanAssertionLocked(
    HolderId holder, const AssertedLease& asserted, absl::Duration ttl) {
  const Holder* const caller = table_.FindHolder(holder);
  if (caller == nullptr) {
    return absl::UnavailableError("the holder's process is gone");
  }
  if (asserted.generation > last_generation_ &&
      asserted.generation - last_generation_ > kGenerationMargin) {
    return absl::InvalidArgumentError(
        absl::StrCat("generation ", asserted.generation,
                     " is none that was ever given: the "
                     "last one known is ",
                     last_generation_));
  }
  const absl::Time now = clock_.Now();
  const absl::StatusOr<const LeaseTable::Lease*> known = table_.Find(
      holder, {asserted.id, asserted.generation}, /*as_admin=*/false);
  if (known.ok() && *known != nullptr) {
    AssertionPlan plan;
    plan.renewal_is_news = RenewLocked(**known, ttl, now);
    return plan;
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
  AssertionPlan plan;
  plan.holder = *caller;
  LeaseTable::Buffer* const buffer =
      table_.FindBuffer(caller->uid, asserted.buffer_name);
  absl::Status status;
  if (buffer == nullptr) {
    plan.on = AssertionPlan::On::kLeftover;
    status = table_.ReserveName(caller->uid, asserted.buffer_name, now);
  } else if (buffer->segment.file_name() != asserted.file_name ||
             buffer->generation != asserted.generation) {
    status = absl::FailedPreconditionError(absl::StrCat(
        "the name \"", asserted.buffer_name, "\" is another buffer's by now"));
  } else if (buffer->handing_over || buffer->sealed != asserted.sealed ||
             table_.LeaseOf(*buffer->leases.begin()).kind ==
                 LeaseKind::kTicket) {
    status = absl::FailedPreconditionError(absl::StrCat(
        "buffer \"", asserted.buffer_name, "\" is ",
        buffer->sealed ? "" : "not ", "sealed, or is being handed over"));
  } else {
    plan.on = AssertionPlan::On::kBuffer;
    plan.buffer = buffer;
    status = buffer->MayHaveAnotherLease();
    if (status.ok()) status = quota_.Reserve(buffer->uid, 0);
    if (status.ok()) table_.Pin(buffer);
  }
  if (status.ok()) return plan;
  table_.Abandon(holder, asserted.request_id);
  return status;
}

absl::Status Pool::AssertOnLeftover(const Holder& holder,
                                    const AssertedLease& asserted,
                                    absl::Duration ttl) {
  std::optional<Segment> segment =
      segments_.TakeQuarantined(asserted.file_name, holder.uid);
  LeaseTable::Buffer buffer;
  buffer.name = asserted.buffer_name;
  buffer.uid = holder.uid;
  buffer.bytes = asserted.bytes;
  buffer.generation = asserted.generation;
  buffer.sealed = asserted.sealed;
  absl::Status status;
  if (!segment.has_value()) {
    status = absl::NotFoundError(absl::StrCat("no segment ", asserted.file_name,
                                              " is left of lease ",
                                              asserted.id.ToHex()));
  } else {
    buffer.segment = *std::move(segment);
    if (asserted.bytes == 0 || asserted.bytes > buffer.segment.bytes()) {
      status = absl::FailedPreconditionError(absl::StrCat(
          "segment ", asserted.file_name, " has ", buffer.segment.bytes(),
          " bytes, the lease says ", asserted.bytes));
    } else if (asserted.sealed && !buffer.segment.sealed()) {
      status = absl::FailedPreconditionError(
          absl::StrCat("segment ", asserted.file_name,
                       " is not sealed, the lease says it is"));
    }
  }
  if (status.ok()) {
    status = CommitAsserted(holder, AssertedToLease(holder.id, asserted, ttl),
                            &buffer);
  }
  if (!status.ok()) {
    MutexLock lock(&mutex_);
    table_.AbandonName(holder.uid, asserted.buffer_name);
    table_.Abandon(holder.id, asserted.request_id);
  }
  if (!buffer.segment.empty()) {
    // Another may have a better claim to it.
    segments_.PutBackLeftover(std::move(buffer.segment));
  }
  return status;
}

absl::Status Pool::CommitAsserted(const Holder& holder, LeaseTable::Lease lease,
                                  LeaseTable::Buffer* buffer) {
  const LeaseId id = lease.id;
  const absl::Status kept = journal_.Grant(RecordOf(lease, *buffer, holder));
  AccountJournal();
  if (!kept.ok()) return kept;
  absl::Status status;
  Woken woken;
  {
    MutexLock lock(&mutex_);
    status = MayCommitLocked(holder.id, id);
    if (status.ok()) {
      buffer->granted_at = lease.granted_at;
      last_generation_ = std::max(last_generation_, buffer->generation);
      ++counts_.asserted;
      quota_.Force(buffer->uid, buffer->segment.bytes());
      AddBufferLocked(std::move(*buffer), std::move(lease), &woken);
    }
  }
  if (status.ok()) {
    events_.Wake();
    Wake(std::move(woken));
  } else {
    journal_.End(id);
  }
  return status;
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
