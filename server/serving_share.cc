#include "server/serving_share.h"

namespace warmpool {

void ServingShare::Turn(absl::Time now) {
  if (now < window_end_) return;
  // An idle one begins with the first request after it.
  const absl::Time before = now - kWindow;
  absl::erase_if(uses_,
                 [&](const auto& use) { return use.second.at < before; });
  for (auto& [uid, use] : uses_) use.time = absl::ZeroDuration();
  window_end_ = now + kWindow;
}

bool ServingShare::IsUsedUp(uid_t uid, absl::Time now) {
  Turn(now);
  const auto use = uses_.find(uid);
  if (use == uses_.end() || uses_.size() == 1) return false;
  return use->second.time >
         kWindow / (2 * static_cast<int64_t>(uses_.size()));
}

void ServingShare::Charge(uid_t uid, absl::Time begun) {
  const absl::Time now = clock_.Now();
  Turn(now);
  Use& use = uses_[uid];
  use.time += now - begun;
  use.at = now;
}

}  // namespace warmpool
