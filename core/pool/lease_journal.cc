#include "core/pool/lease_journal.h"

#include <cstdint>
#include <utility>

#include "core/book/lease_book.h"
#include "core/engine/unmap_batch.h"

namespace warmpool {

absl::Status LeaseJournal::Grant(LeaseRecord record) {
  absl::Status kept = keeper_.Grant(std::move(record));
  AfterWrite();
  return kept;
}

absl::Status LeaseJournal::Replace(const LeaseId& replaced,
                                   LeaseRecord record) {
  absl::Status kept = keeper_.Replace(replaced, std::move(record));
  AfterWrite();
  // The lease's end was recorded before this record.
  return absl::IsNotFound(kept) ? EndedMeanwhile(replaced) : kept;
}

void LeaseJournal::Renew(const LeaseId& id, absl::Duration ttl) {
  keeper_.Renew(id, ttl);
  AfterWrite();
}

absl::Time LeaseJournal::Keep() {
  keeper_.Keep();
  AccountGrowth();
  return keeper_.NextDue();
}

void LeaseJournal::AccountGrowth() {
  const uint64_t grown = keeper_.TakeGrowth();
  if (grown > 0) segments_.AddOverhead(grown);
}

void LeaseJournal::AfterWrite() {
  AccountGrowth();
  const absl::Time now = clock_.Now();
  if (keeper_.NextDue() <= now) segments_.ScheduleTick(now);
}

void LeaseJournal::EndFiles(SystemCalls* calls) {
  UnmapBatch batch(calls,
                   {.drain = UnmapBatch::Drain::kInline, .threshold_bytes = 0});
  for (Segment& file : keeper_.TakeFiles()) {
    batch.Add(std::move(file), clock_.Now());
  }
}

}  // namespace warmpool
