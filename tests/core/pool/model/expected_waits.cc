#include "tests/core/pool/model/expected_waits.h"

#include <algorithm>
#include <utility>

#include "gmock/gmock-matchers.h"

namespace warmpool {

std::unique_ptr<ExpectedWaits::Wait> ExpectedWaits::Make(
    HolderId holder, const AttachRequest& request, uid_t owner,
    absl::Time until) const {
  auto wait = std::make_unique<Wait>();
  wait->holder = holder;
  wait->request = request;
  wait->target = {.name = request.name,
                  .uid = owner,
                  .sealed = request.access == Access::kReadOnly};
  wait->until = until;
  return wait;
}

AttachWait ExpectedWaits::ForPool(Wait* wait) const {
  return {wait, wait->until, [this, wait] {
            ++wait->calls;
            on_wake_();
          }};
}

void ExpectedWaits::Add(std::unique_ptr<Wait> wait) {
  waits_.push_back(std::move(wait));
}

template <typename Predicate>
void ExpectedWaits::WakeWhere(Predicate predicate) {
  for (const auto& wait : waits_) {
    if (wait->state == Wait::State::kWaiting && predicate(*wait)) {
      wait->state = Wait::State::kWoken;
    }
  }
}

void ExpectedWaits::WakeFor(const std::string& name, uid_t owner, bool sealed) {
  WakeWhere([&](const Wait& wait) {
    return wait.target.name == name && wait.target.uid == owner &&
           wait.target.sealed == sealed;
  });
}

void ExpectedWaits::WakeDue(absl::Time now) {
  WakeWhere([&](const Wait& wait) { return wait.until <= now; });
}

void ExpectedWaits::WakeOf(HolderId holder) {
  WakeWhere([&](const Wait& wait) { return wait.holder == holder; });
}

void ExpectedWaits::WakeAll() {
  WakeWhere([](const Wait&) { return true; });
}

void ExpectedWaits::DropAll() {
  for (const auto& wait : waits_) {
    if (wait->state == Wait::State::kWaiting) {
      wait->state = Wait::State::kDropped;
    }
  }
}

size_t ExpectedWaits::CountWaiting() const {
  return CountDue(absl::InfiniteFuture());
}

size_t ExpectedWaits::CountDue(absl::Time now) const {
  return std::count_if(waits_.begin(), waits_.end(), [&](const auto& wait) {
    return wait->state == Wait::State::kWaiting && wait->until <= now;
  });
}

absl::Time ExpectedWaits::NextDue() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& wait : waits_) {
    if (wait->state == Wait::State::kWaiting) {
      next = std::min(next, wait->until);
    }
  }
  return next;
}

void ExpectedWaits::Check() const {
  for (const auto& wait : waits_) {
    EXPECT_EQ(wait->calls, wait->state == Wait::State::kWoken ? 1 : 0)
        << "a wait of holder " << wait->holder << " for "
        << (wait->target.sealed ? "the seal of " : "") << "buffer \""
        << wait->target.name << "\" of uid " << wait->target.uid;
  }
}

}  // namespace warmpool
