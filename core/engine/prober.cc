#include "core/engine/prober.h"

#include <string>
#include <utility>
#include <vector>

namespace warmpool {
namespace {

// Of one uid. A client that claims a leftover waits while it is out for a
// probe, behind those that went out with it.
constexpr size_t kProbesAtOnce = 64;
// Times that many in one Tick: what else is due then waits for a few
// milliseconds at most.
constexpr int kRoundsPerTick = 4;

}  // namespace

Prober::Prober(EngineBook* book, SegmentSource* source, const Clock* clock,
               UnmapBatch* batch, Sorter* sorter, absl::Duration leftover_grace)
    : book_(*book),
      source_(*source),
      clock_(*clock),
      batch_(*batch),
      sorter_(*sorter),
      leftover_grace_(leftover_grace) {}

void Prober::Adopt(Segment segment) {
  absl::Time due;
  {
    MutexLock lock(&book_.mutex);
    const absl::Time now = clock_.Now();
    book_.ledger.Enter(ByteState::kQuarantined, segment.size_class(),
                       segment.bytes());
    // Its end will be noted as that of a segment in use.
    book_.bigcache.RecordAcquired(segment.owner(), segment.size_class(), now);
    sorter_.CountUnproven(segment);
    due =
        book_.quarantine.AddLeftover(std::move(segment), now, leftover_grace_);
  }
  sorter_.ScheduleTick(due);
}

std::optional<Segment> Prober::TakeLeftover(const std::string& file_name,
                                            uid_t owner) {
  MutexLock lock(&book_.mutex);
  while (book_.quarantine.IsProbingLeftover(file_name)) {
    book_.probed_condition.Wait(&book_.mutex);
  }
  std::optional<Quarantine::Entry> entry =
      book_.quarantine.TakeLeftover(file_name, owner);
  if (!entry.has_value()) return std::nullopt;
  book_.Move(ByteState::kQuarantined, ByteState::kLeased, entry->segment);
  sorter_.ForgetUnproven(entry->segment.owner(), entry->segment.bytes());
  return std::move(entry->segment);
}

bool Prober::PutBackLeftover(Segment* segment) {
  absl::Time due;
  {
    MutexLock lock(&book_.mutex);
    if (!book_.quarantine.is_open()) return false;
    book_.Move(ByteState::kLeased, ByteState::kQuarantined, *segment);
    sorter_.CountUnproven(*segment);
    due = book_.quarantine.AddLeftover(std::move(*segment), clock_.Now(),
                                       leftover_grace_);
  }
  sorter_.ScheduleTick(due);
  return true;
}

void Prober::DetachAll() {
  std::vector<Quarantine::Entry> quarantined;
  {
    MutexLock lock(&book_.mutex);
    quarantined = book_.quarantine.TakeAll();
  }
  for (Quarantine::Entry& entry : quarantined) {
    // The next daemon can't know that its lease has ended, unless by that.
    if (!entry.leftover) SetAside(&entry);
    batch_.Detach(std::move(entry.segment));
  }
}

void Prober::ProbeDue(absl::Time now) {
  for (int round = 0; round < kRoundsPerTick && ProbeSome(now); ++round) {
  }
}

void Prober::ProbeAll(absl::Time now) {
  {
    MutexLock lock(&book_.mutex);
    book_.quarantine.MakeAllDue(now);
  }
  // Those that are put back are due later than `now`.
  while (ProbeSome(now)) {
  }
}

bool Prober::ProbeSome(absl::Time now) {
  std::vector<Quarantine::Entry> entries;
  {
    MutexLock lock(&book_.mutex);
    entries = book_.quarantine.TakeDue(now, kProbesAtOnce);
  }
  for (Quarantine::Entry& entry : entries) ProbeEntry(std::move(entry), now);
  return !entries.empty();
}

void Prober::ProbeEntry(Quarantine::Entry entry, absl::Time now) {
  const std::string leftover =
      entry.leftover ? entry.segment.file_name() : std::string();
  Verdict verdict = sorter_.ProveReturned(&entry.segment);
  if (verdict == Verdict::kInUse && now >= entry.set_aside_at) {
    SetAside(&entry);
  }
  bool put_back = false;
  {
    MutexLock lock(&book_.mutex);
    if (verdict == Verdict::kInUse && book_.quarantine.is_open()) {
      book_.quarantine.PutBack(std::move(entry), now);
      put_back = true;
    }
    book_.quarantine.ForgetProbingLeftover(leftover);
  }
  book_.probed_condition.NotifyAll();
  if (put_back) return;
  // One that somebody kept for long may have left traces that no proof shows:
  // it is ended, not reused.
  if (verdict == Verdict::kFree && !entry.Settling(now)) {
    verdict = Verdict::kUnfit;
  }
  sorter_.Settle(std::move(entry.segment), ByteState::kQuarantined, verdict);
}

void Prober::SetAside(Quarantine::Entry* entry) {
  const absl::Status status = source_.SetAside(&entry->segment);
  if (!status.ok()) {
    MutexLock lock(&book_.mutex);
    ++book_.failed_set_asides;
  }
  // Where its name is gone, nobody opens it by that.
  if (status.ok() || absl::IsNotFound(status)) {
    entry->set_aside_at = absl::InfiniteFuture();
  }
}

void Prober::FreeAll() {
  std::vector<Quarantine::Entry> entries;
  {
    MutexLock lock(&book_.mutex);
    // Those that are out for a probe, or being returned, end after it.
    entries = book_.quarantine.Close();
    for (const Quarantine::Entry& entry : entries) {
      book_.Move(ByteState::kQuarantined, ByteState::kBatched, entry.segment);
      sorter_.ForgetUnproven(entry.segment.owner(), entry.segment.bytes());
    }
  }
  for (Quarantine::Entry& entry : entries) {
    batch_.Add(std::move(entry.segment), clock_.Now());
  }
  batch_.Flush();
}

}  // namespace warmpool
