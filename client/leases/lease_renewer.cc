#include "client/leases/lease_renewer.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/leases/lease_verdict.h"

namespace warmpool {
namespace {

// After how much of its time to live a lease is due, and from when on it rides
// along with another that is due.
constexpr int kDueFraction = 3;
constexpr int kEarlyFraction = 12;

// A failed renewal is tried again so much later: six times more before the
// lease ends; but neither busily nor so rarely that an expiry goes unnoticed.
constexpr int kRetryFraction = 10;
constexpr absl::Duration kMinRetry = absl::Milliseconds(50);
constexpr absl::Duration kMaxRetry = absl::Seconds(5);

}  // namespace

LeaseRenewer::LeaseRenewer(const Clock* clock, RenewFunction renew)
    : clock_(*clock),
      renew_(std::move(renew)),
      ticker_(clock, [this] { return RenewDue(); }) {}

void LeaseRenewer::Keep(Renewal lease, absl::Time granted) {
  if (lease.ttl <= absl::ZeroDuration() ||
      lease.ttl == absl::InfiniteDuration()) {
    return;
  }
  const absl::Time due = granted + lease.ttl / kDueFraction;
  {
    MutexLock lock(&mutex_);
    std::string id = lease.lease_id;
    kept_[std::move(id)] = Kept{std::move(lease), due};
  }
  ticker_.CallBy(due);
}

void LeaseRenewer::Drop(const std::string& lease_id) {
  MutexLock lock(&mutex_);
  kept_.erase(lease_id);
}

absl::Time LeaseRenewer::RenewDue() {
  const absl::Time now = clock_.Now();
  std::vector<Renewal> due;
  {
    MutexLock lock(&mutex_);
    due = TakeDueLocked(now);
    if (due.empty()) return NextDueLocked();
  }
  absl::StatusOr<std::vector<Outcome>> outcomes = renew_(due);
  if (outcomes.ok() && outcomes->size() != due.size()) {
    outcomes = absl::InternalError(absl::StrCat("the daemon answered ",
                                                due.size(), " renewals with ",
                                                outcomes->size(), " results"));
  }
  MutexLock lock(&mutex_);
  for (size_t i = 0; i < due.size(); ++i) {
    SettleLocked(
        due[i],
        outcomes.ok() ? (*outcomes)[i] : absl::UnavailableError("no answer"),
        now);
  }
  return NextDueLocked();
}

std::vector<LeaseRenewer::Renewal> LeaseRenewer::TakeDueLocked(absl::Time now) {
  std::vector<Kept*> candidates;
  bool any_due = false;
  for (auto& [id, kept] : kept_) {
    any_due |= kept.due <= now;
    if (kept.due - kept.renewal.ttl / kEarlyFraction <= now) {
      candidates.push_back(&kept);
    }
  }
  std::vector<Renewal> due;
  if (!any_due) return due;
  // The most urgent first: otherwise those that ride along could fill every
  // call while the daemon does not answer.
  std::sort(candidates.begin(), candidates.end(),
            [](const Kept* a, const Kept* b) { return a->due < b->due; });
  if (candidates.size() > kMaxRenewals) candidates.resize(kMaxRenewals);
  due.reserve(candidates.size());
  for (Kept* kept : candidates) {
    kept->asked = true;
    due.push_back(kept->renewal);
  }
  return due;
}

void LeaseRenewer::SettleLocked(const Renewal& renewal, const Outcome& outcome,
                                absl::Time asked) {
  const auto found = kept_.find(renewal.lease_id);
  // Dropped meanwhile, or kept anew: what is there is later than the answer.
  if (found == kept_.end() || !found->second.asked) return;
  Kept& kept = found->second;
  kept.asked = false;
  if (outcome.ok()) {
    if (*outcome == absl::ZeroDuration()) {
      kept_.erase(found);
      return;
    }
    kept.renewal.ttl = *outcome;
    kept.due = asked + *outcome / kDueFraction;
  } else if (HasEnded(outcome.status())) {
    kept_.erase(found);
  } else {
    kept.due = clock_.Now() + std::clamp(kept.renewal.ttl / kRetryFraction,
                                         kMinRetry, kMaxRetry);
  }
}

absl::Time LeaseRenewer::NextDueLocked() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [id, kept] : kept_) next = std::min(next, kept.due);
  return next;
}

size_t LeaseRenewer::size() const {
  MutexLock lock(&mutex_);
  return kept_.size();
}

}  // namespace warmpool
