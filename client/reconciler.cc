#include "client/reconciler.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"

namespace warmpool {
namespace {

absl::Duration AtRandom(absl::Duration pause) {
  absl::BitGen random;
  return pause * absl::Uniform(random, 0.5, 1.0);
}

}  // namespace

Reconciler::Reconciler(const Clock* clock, Steps steps)
    : clock_(*clock), steps_(std::move(steps)) {}

Reconciler::~Reconciler() { Stop(); }

void Reconciler::NoteLoss() {
  {
    MutexLock lock(&mutex_);
    work_ = {.assert_known = true, .release_forgotten = true};
  }
  changed_.NotifyAll();
}

void Reconciler::NoteForgotten() {
  {
    MutexLock lock(&mutex_);
    work_.release_forgotten = true;
  }
  changed_.NotifyAll();
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
    if (lost) work_ = {.assert_known = true, .release_forgotten = true};
    if (work_.empty() || clock_.Now() < not_before_) return NextRunLocked();
    work = std::exchange(work_, Work());
  }
  const Work left = Do(work);
  MutexLock lock(&mutex_);
  if (left.empty()) {
    // What was noted meanwhile, others noted.
    pause_ = absl::ZeroDuration();
    not_before_ = absl::InfinitePast();
    return NextRunLocked();
  }
  work_.assert_known |= left.assert_known;
  work_.release_forgotten |= left.release_forgotten;
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  not_before_ = clock_.Now() + AtRandom(pause_);
  return NextRunLocked();
}

Reconciler::Work Reconciler::Do(Work work) {
  if (work.assert_known) {
    if (!steps_.assert_known().ok()) return work;
    work.assert_known = false;
  }
  // After the assertions: one that came after the release of its lease would
  // have brought that back.
  const absl::StatusOr<bool> done = steps_.release_forgotten();
  if (done.ok() && *done) work.release_forgotten = false;
  return work;
}

absl::Time Reconciler::NextRunLocked() const {
  return work_.empty() ? next_look_ : std::min(next_look_, not_before_);
}

void Reconciler::Start() {
  MutexLock lock(&mutex_);
  if (thread_.joinable() || stopping_) return;
  thread_ = std::thread([this] { ThreadMain(); });
}

void Reconciler::Stop() {
  std::thread thread;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.NotifyAll();
  if (thread.joinable()) thread.join();
}

void Reconciler::ThreadMain() {
  for (;;) {
    RunDue();
    MutexLock lock(&mutex_);
    for (;;) {
      if (stopping_) return;
      const absl::Duration wait = NextRunLocked() - clock_.Now();
      if (wait <= absl::ZeroDuration()) break;
      changed_.WaitFor(&mutex_, wait);
    }
  }
}

}  // namespace warmpool
