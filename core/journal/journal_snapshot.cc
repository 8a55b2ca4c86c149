#include "core/journal/journal_snapshot.h"

#include <algorithm>
#include <utility>

namespace warmpool {

JournalSnapshot::JournalSnapshot(const JournalHeader& header,
                                 LeaseRecords* leases)
    : header_(header),
      leases_(*leases),
      generation_(header.last_generation),
      pending_(EncodeJournalHeader(header, &seed_)) {
  leases_.StartWalk();
}

bool JournalSnapshot::Copy(size_t count) {
  for (; count > 0; --count) {
    const LeaseRecord* const lease = leases_.Walk();
    if (lease == nullptr) break;
    pending_.append(EncodeGrant(seed_, *lease));
    generation_ = std::max(generation_, lease->generation);
  }
  return leases_.walked();
}

void JournalSnapshot::RecordRenewal(const LeaseRecord& lease) {
  if (!leases_.Passed(lease.id)) return;
  pending_.append(EncodeRenewal(seed_, lease.id, lease.ttl));
}

void JournalSnapshot::RecordEnd(const LeaseRecord& lease) {
  if (!leases_.Passed(lease.id)) {
    if (lease.generation <= generation_) return;
    // It came and went meanwhile. Nothing else would tell its generation.
    pending_.append(EncodeGrant(seed_, lease));
    generation_ = lease.generation;
  }
  pending_.append(EncodeEnd(seed_, lease.id));
}

std::string JournalSnapshot::Take() {
  taken_bytes_ += pending_.size();
  return std::exchange(pending_, std::string());
}

}  // namespace warmpool
