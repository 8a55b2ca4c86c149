// How the journal is kept: it grows and is compacted by whoever calls Tick,
// ahead of need.
#include <algorithm>
#include <optional>

#include "core/pool/pool.h"

namespace warmpool {
namespace {

// After a step that failed: on a full filesystem an attempt to grow takes what
// is left of it for a moment.
constexpr absl::Duration kUpkeepRetry = absl::Seconds(1);

}  // namespace

bool Pool::AccountJournalGrowth() {
  if (journal_ == nullptr) return false;
  uint64_t grown = 0;
  bool due = false;
  {
    MutexLock lock(&mutex_);
    grown = journal_->bytes() - journal_bytes_;
    journal_bytes_ = journal_->bytes();
    due = JournalDueLocked() <= clock_.Now();
  }
  if (grown > 0) segments_.AddOverhead(grown);
  return due;
}

void Pool::AccountJournal() {
  if (AccountJournalGrowth()) segments_.NoteDue(clock_.Now());
}

absl::Time Pool::JournalDueLocked() const {
  if (journal_ == nullptr || keeping_journal_ || !journal_->UpkeepDue()) {
    return absl::InfiniteFuture();
  }
  return journal_retry_at_;
}

void Pool::KeepJournal() {
  {
    MutexLock lock(&mutex_);
    if (JournalDueLocked() > clock_.Now()) return;
    keeping_journal_ = true;
  }
  std::optional<Journal::Step> step;
  for (;;) {
    {
      MutexLock lock(&mutex_);
      const absl::Status committed =
          step.has_value() ? journal_->CommitStep(*step) : absl::OkStatus();
      step.reset();
      if (committed.ok() || absl::IsAborted(committed)) {
        step = journal_->PlanStep();
      } else {
        journal_retry_at_ = clock_.Now() + kUpkeepRetry;
      }
      keeping_journal_ = step.has_value();
    }
    if (!step.has_value()) break;
    journal_->TakeStep(&*step);
    GiveWay();
  }
  (void)AccountJournalGrowth();
}

}  // namespace warmpool
