#include "core/pool/recovery.h"

#include <algorithm>
#include <memory>

#include "core/base/channel_name.h"
#include "core/memory/directory/segment_name.h"
#include "core/memory/size_class.h"

namespace warmpool {
namespace {

// The segment as it was leased, even if its file has changed: the proof at the
// end of the lease checks the file. Its class does not depend on this daemon's
// limit for requests.
Segment AsLeased(Segment found, const LeaseRecord& record) {
  static const auto* const all = new SizeClasses(SizeClasses::kMaxMaxBytes);
  const absl::StatusOr<SizeClass> size_class = all->For(record.segment_bytes);
  Segment segment(size_class.value_or(found.size_class()), record.segment_bytes,
                  record.owner);
  segment.set_page_bytes(record.page_bytes);
  segment.set_sealed(found.sealed());
  std::swap(segment.parts(), found.parts());
  // The journal does not say which other leases the segment had. No process
  // knows it by the next name.
  if (segment.file_name() == record.file_name) segment.set_name_is_stale();
  return segment;
}

}  // namespace

Recovered Recovery::Run(const std::vector<RecoveredLease>& leases,
                        uint64_t last_generation,
                        std::vector<Segment> leftovers) {
  parts_.journal.AccountGrowth();
  Recovered result;
  SortLeftovers(std::move(leftovers), &result);
  Lost lost;
  {
    MutexLock lock(&parts_.book.mutex);
    parts_.book.last_generation =
        std::max(parts_.book.last_generation, last_generation);
    lost = TakeUp(leases);
  }
  parts_.events.Wake();
  // This must come before the journal forgets the reason.
  endings_.EndEach(lost.members, EndCause::kRevoked);
  RecordLost(lost);
  {
    MutexLock lock(&parts_.book.mutex);
    result.leases = parts_.book.table.lease_count();
  }
  result.ended_leases = lost.leases.size();
  result.leftovers += segments_.size();
  for (auto& [name, segment] : segments_) {
    parts_.segments.Adopt(std::move(segment));
  }
  return result;
}

void Recovery::SortLeftovers(std::vector<Segment> leftovers,
                             Recovered* result) {
  parts_.directory.SetAsideStrays(&leftovers, &result->left_alone);
  for (Segment& segment : leftovers) {
    // The lease had ended before the segment was set aside.
    if (segment.set_aside()) {
      ++result->leftovers;
      parts_.segments.Adopt(std::move(segment));
      continue;
    }
    std::string name = segment.file_name();
    segments_.emplace(std::move(name), std::move(segment));
  }
}

Recovery::Lost Recovery::TakeUp(const std::vector<RecoveredLease>& leases) {
  Lost lost;
  std::vector<const LeaseRecord*> lost_members;
  for (const RecoveredLease& lease : leases) {
    const LeaseRecord& record = lease.record;
    const bool held = record.kind == LeaseKind::kHeld;
    if (TakeUpLease({record, held ? lease.holder : LeaseBook::kPoolHolder})) {
      continue;
    }
    if (held && record.linger > absl::ZeroDuration()) {
      const LeaseRecord successor = LingeringAfter(record);
      if (TakeUpLease({successor, LeaseBook::kPoolHolder})) {
        lost.lingering.emplace_back(record.id, successor);
        continue;
      }
    }
    lost.leases.push_back(record.id);
    if (!ChannelOf(record.buffer_name).empty()) {
      lost_members.push_back(&record);
    }
  }
  for (const LeaseRecord* const member : lost_members) {
    const LeaseTable::Buffer* const buffer =
        parts_.book.table.FindBuffer(member->owner, member->buffer_name);
    if (buffer == nullptr) continue;
    lost.members.insert(lost.members.end(), buffer->leases.begin(),
                        buffer->leases.end());
  }
  return lost;
}

void Recovery::RecordLost(const Lost& lost) {
  for (const LeaseId& id : lost.leases) parts_.journal.End(id);
  for (const auto& [id, successor] : lost.lingering) {
    // After a failed write, the second attempt makes a snapshot first.
    const bool kept = parts_.journal.Replace(id, successor).ok() ||
                      parts_.journal.Replace(id, successor).ok();
    // The journal must not have a lease on the segment for longer than the
    // pool. Without the record the buffer does not linger under a later daemon.
    if (!kept) parts_.journal.End(id);
  }
}

LeaseRecord Recovery::LingeringAfter(const LeaseRecord& ended) const {
  LeaseRecord record = ended;
  record.id = parts_.random.Next();
  record.request_id = record.id;
  record.client_id = ClientId();
  // The holder in the record is the lease's maker.
  record.holder_instance = 0;
  record.kind = LeaseKind::kLingering;
  record.ttl = ended.linger;
  record.linger = absl::ZeroDuration();
  record.granted_at = parts_.clock.Now();
  return record;
}

LeaseTable::Lease Recovery::LeaseFrom(const RecoveredLease& recovered) const {
  const LeaseRecord& record = recovered.record;
  const bool held = record.kind == LeaseKind::kHeld;
  LeaseTable::Lease lease =
      parts_.book.NewLease(recovered.holder, record.request_id,
                           record.client_id, record.ttl, record.access);
  lease.id = record.id;
  lease.kind = record.kind;
  if (!held) {
    lease.maker = std::make_shared<const Process>(
        Process{record.holder_pid, record.holder_uid, record.holder_command});
  }
  lease.linger = record.linger;
  // A lease that no process has can't wait for its holder.
  lease.state = held ? LeaseState::kRecovering : LeaseState::kLive;
  lease.warmth = record.warmth;
  lease.zeroed = record.zeroed;
  lease.granted_at = record.granted_at;
  lease.touched_at = record.granted_at;
  return lease;
}

bool Recovery::TakeUpLease(const RecoveredLease& recovered) {
  const LeaseRecord& record = recovered.record;
  LeaseTable::Buffer* const buffer =
      parts_.book.table.FindBuffer(record.owner, record.buffer_name);
  auto found = segments_.find(record.file_name);
  // The earlier daemon was killed while the ticket was being claimed.
  if (found == segments_.end() && record.kind == LeaseKind::kTicket) {
    found = segments_.find(NextSegmentName(record.file_name));
  }
  const bool known =
      buffer != nullptr && buffer->segment.file_name() == record.file_name;
  // No daemon writes one name for two files.
  const bool taken = buffer != nullptr && !known;
  if (parts_.book.table.holders().Find(recovered.holder) == nullptr || taken ||
      (!known && found == segments_.end())) {
    return false;
  }
  ++parts_.book.counts.recovered;
  // A reader of another uid pays for the lease, but not for the bytes.
  parts_.quota.Force(
      record.kind == LeaseKind::kHeld ? record.holder_uid : record.owner, 0);
  LeaseTable::Lease lease = LeaseFrom(recovered);
  if (known) {
    parts_.book.table.AddLease(buffer, std::move(lease));
    return true;
  }
  Segment segment = std::move(found->second);
  segments_.erase(found);
  AddBuffer(record, std::move(segment), std::move(lease));
  return true;
}

void Recovery::AddBuffer(const LeaseRecord& record, Segment segment,
                         LeaseTable::Lease lease) {
  parts_.quota.ForceBytes(record.owner, record.segment_bytes);
  LeaseTable::Buffer buffer;
  buffer.name = record.buffer_name;
  buffer.uid = record.owner;
  buffer.bytes = record.bytes;
  buffer.generation = record.generation;
  buffer.sealed = record.sealed;
  buffer.share_with = record.share_with;
  buffer.segment = AsLeased(std::move(segment), record);
  buffer.granted_at = record.granted_at;
  parts_.book.last_generation =
      std::max(parts_.book.last_generation, record.generation);
  parts_.segments.AdoptLeased(buffer.segment);
  // The name of a live lease can't be taken: the journal has each name once.
  parts_.book.table.ReserveName(buffer.uid, buffer.name, parts_.clock.Now())
      .IgnoreError();
  // No request waits for it before the first request.
  parts_.book.AddBuffer(std::move(buffer), std::move(lease));
}

}  // namespace warmpool
