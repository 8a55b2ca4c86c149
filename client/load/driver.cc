#include "client/load/driver.h"

#include <optional>
#include <utility>

namespace warmpool {
namespace {

// One client's run, while it lasts.
class Run {
 public:
  Run(const Clock& clock, LoadTarget& target, std::atomic<uint64_t>& progress)
      : clock_(clock), target_(target), progress_(progress) {}

  // `due`: from when its latency counts.
  void Make(const Step& step, absl::Time due) {
    if (step.action == Step::Action::kLease) {
      Lease(step, due);
    } else {
      Release(step.slot, due);
    }
  }

  void ReleaseAll(size_t slots) {
    for (size_t slot = 0; slot < slots; ++slot) Release(slot, clock_.Now());
  }

  Measurement Finish(absl::Time start) && {
    measured_.elapsed = clock_.Now() - start;
    return std::move(measured_);
  }

 private:
  void Lease(const Step& step, absl::Time due) {
    const absl::StatusOr<LoadWarmth> warmth =
        target_.Lease(step.slot, step.bytes);
    const absl::Time leased = clock_.Now();
    progress_.fetch_add(1, std::memory_order_relaxed);
    if (!warmth.ok()) {
      measured_.RecordFailure(Operation::kLease, warmth.status());
      return;
    }
    measured_.lease.Record(leased - due);
    CountWarmth(*warmth);
    // The touch is the client's own work, at whatever time it gets to it.
    if (target_.Touch(step.slot)) {
      measured_.first_touch.Record(clock_.Now() - leased);
    }
  }

  void Release(size_t slot, absl::Time due) {
    // Its lease was refused, or it was drained.
    if (!target_.Holds(slot)) return;
    const absl::Status status = target_.Release(slot);
    if (status.ok()) {
      measured_.release.Record(clock_.Now() - due);
    } else {
      measured_.RecordFailure(Operation::kRelease, status);
    }
  }

  void CountWarmth(LoadWarmth warmth) {
    switch (warmth) {
      case LoadWarmth::kWarm: ++measured_.warm; break;
      case LoadWarmth::kStock: ++measured_.stock; break;
      case LoadWarmth::kFresh: ++measured_.fresh; break;
    }
  }

  const Clock& clock_;
  LoadTarget& target_;
  std::atomic<uint64_t>& progress_;
  Measurement measured_;
};

}  // namespace

Pace Pace::Of(double leases_per_second, int clients, int client) {
  const absl::Duration between_any = absl::Seconds(1) / (2 * leases_per_second);
  return {.first = client * between_any, .interval = clients * between_any};
}

Measurement Drive(Scenario scenario, const DriveOptions& options,
                  const Clock& clock, Stopper& stopper, LoadTarget& target,
                  std::atomic<uint64_t>& progress) {
  const bool paced = options.pace.interval > absl::ZeroDuration();
  const absl::Time start = clock.Now();
  const absl::Time end = start + options.duration;
  absl::Time scheduled = start + options.pace.first;
  Run run(clock, target, progress);
  // A step that is drawn and not made is no loss: whatever it would have
  // released is released below.
  while (const std::optional<Step> step = scenario.Next()) {
    if (scheduled >= end) break;
    if (paced) stopper.SleepUntil(scheduled);
    const absl::Time now = clock.Now();
    if (stopper.stopped() || now >= end) break;
    run.Make(*step, paced ? scheduled : now);
    scheduled += options.pace.interval;
  }
  run.ReleaseAll(scenario.slots());
  return std::move(run).Finish(start);
}

}  // namespace warmpool
