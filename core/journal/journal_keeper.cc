#include "core/journal/journal_keeper.h"

#include <optional>
#include <utility>

namespace warmpool {
namespace {

// After a step that failed: on a full filesystem an attempt to grow takes what
// is left of it for a moment.
constexpr absl::Duration kUpkeepRetry = absl::Seconds(1);

}  // namespace

absl::Status JournalKeeper::Grant(LeaseRecord record) {
  if (journal_ == nullptr) return absl::OkStatus();
  MutexLock lock(&mutex_);
  return journal_->AppendGrant(std::move(record));
}

absl::Status JournalKeeper::Replace(const LeaseId& replaced,
                                    LeaseRecord record) {
  if (journal_ == nullptr) return absl::OkStatus();
  MutexLock lock(&mutex_);
  return journal_->AppendReplacement(replaced, std::move(record));
}

void JournalKeeper::Renew(const LeaseId& id, absl::Duration ttl) {
  if (journal_ == nullptr) return;
  MutexLock lock(&mutex_);
  const absl::Status written = journal_->AppendRenewal(id, ttl);
  if (!absl::IsNotFound(written)) CountLocked(written);
}

void JournalKeeper::End(const LeaseId& id) {
  if (journal_ == nullptr) return;
  MutexLock lock(&mutex_);
  CountLocked(journal_->AppendEnd(id));
}

void JournalKeeper::CountLocked(const absl::Status& written) {
  if (!written.ok()) ++failed_writes_;
}

absl::Time JournalKeeper::NextDueLocked() const {
  if (keeping_ || !journal_->UpkeepDue()) return absl::InfiniteFuture();
  return retry_at_;
}

absl::Time JournalKeeper::NextDue() const {
  if (journal_ == nullptr) return absl::InfiniteFuture();
  MutexLock lock(&mutex_);
  return NextDueLocked();
}

void JournalKeeper::Keep() {
  if (journal_ == nullptr) return;
  {
    MutexLock lock(&mutex_);
    if (NextDueLocked() > clock_.Now()) return;
    keeping_ = true;
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
        retry_at_ = clock_.Now() + kUpkeepRetry;
      }
      keeping_ = step.has_value();
    }
    if (!step.has_value()) return;
    journal_->TakeStep(&*step);
    Yield();
  }
}

uint64_t JournalKeeper::TakeGrowth() {
  if (journal_ == nullptr) return 0;
  MutexLock lock(&mutex_);
  return journal_->bytes() - std::exchange(told_bytes_, journal_->bytes());
}

std::vector<Segment> JournalKeeper::TakeFiles() {
  MutexLock lock(&mutex_);
  return journal_->TakeFiles();
}

JournalKeeper::Counts JournalKeeper::counts() const {
  if (journal_ == nullptr) return {};
  MutexLock lock(&mutex_);
  return {failed_writes_, journal_->waits()};
}

void JournalKeeper::CheckInvariants() const {
  if (journal_ == nullptr) return;
  MutexLock lock(&mutex_);
  journal_->CheckInvariants();
}

}  // namespace warmpool
