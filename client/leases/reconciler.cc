#include "client/leases/reconciler.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"

namespace warmpool {
namespace {

bool IsAway(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

absl::Duration AtRandom(absl::Duration pause) {
  absl::BitGen random;
  return pause * absl::Uniform(random, 0.5, 1.0);
}

}  // namespace

Reconciler::Reconciler(const Clock* clock, Steps steps)
    : clock_(*clock),
      steps_(std::move(steps)),
      ticker_(clock, [this] { return RunDue(); }) {
  ticker_.CallBy(absl::InfinitePast());
}

void Reconciler::RecordLoss() {
  Note({.assert_known = true, .release_forgotten = true});
}

void Reconciler::RecordForgotten() { Note({.release_forgotten = true}); }

void Reconciler::Note(Work work) {
  absl::Time next;
  {
    MutexLock lock(&mutex_);
    work_.Add(work);
    // A daemon that came after a loss is not the one that was asked before.
    if (work.assert_known) {
      not_before_ =
          std::min(not_before_, clock_.Now() + AtRandom(kLongestPause));
    }
    next = NextRunLocked();
  }
  ticker_.CallBy(next);
}

absl::Time Reconciler::RunDue() {
  bool look = false;
  {
    MutexLock lock(&mutex_);
    look = clock_.Now() >= next_look_;
    if (look) next_look_ = clock_.Now() + kLookEvery;
  }
  const bool lost = look && steps_.notice_loss();
  Work work;
  {
    MutexLock lock(&mutex_);
    if (lost) {
      work_ = {.assert_known = true, .release_forgotten = true};
      not_before_ =
          std::min(not_before_, clock_.Now() + AtRandom(kLongestPause));
    }
    if (work_.empty() || clock_.Now() < not_before_) return NextRunLocked();
    work = std::exchange(work_, Work());
  }
  const Rest rest = Do(work);
  MutexLock lock(&mutex_);
  if (rest.work.empty()) {
    // What was noted meanwhile, others noted.
    pause_ = absl::ZeroDuration();
    not_before_ = absl::InfinitePast();
    return NextRunLocked();
  }
  work_.Add(rest.work);
  pause_ = std::clamp(pause_ * 2, kFirstPause, rest.longest_pause);
  not_before_ = clock_.Now() + AtRandom(pause_);
  return NextRunLocked();
}

Reconciler::Rest Reconciler::Do(Work work) {
  Rest rest{work};
  if (work.assert_known) {
    const absl::Status asserted = steps_.assert_known();
    if (IsAway(asserted)) return rest;
    rest.work.assert_known = !asserted.ok();
    if (!asserted.ok()) rest.longest_pause = kLongestPauseUndecided;
  }
  // After the assertions: one that came after the release of its lease would
  // have brought that back. What has no word yet must not keep it waiting.
  const absl::StatusOr<bool> done = steps_.release_forgotten();
  if (!done.ok() || !*done) {
    rest.longest_pause = kLongestPause;
  } else {
    // Again after each assertion.
    rest.work.release_forgotten = rest.work.assert_known;
  }
  return rest;
}

absl::Time Reconciler::NextRunLocked() const {
  return work_.empty() ? next_look_ : std::min(next_look_, not_before_);
}

}  // namespace warmpool
