#include "server/stats/shared_stats.h"

#include <utility>

namespace warmpool {
namespace {

// No process has it.
constexpr uid_t kNoUid = static_cast<uid_t>(-1);

}  // namespace

SharedStats::Snapshot SharedStats::For(const absl::StatusOr<Holder>& caller) {
  const Snapshot whole = Whole();
  if (caller.ok() && caller->admin) return whole;
  const uid_t uid = caller.ok() ? caller->uid : kNoUid;
  {
    MutexLock lock(&mutex_);
    const auto it = of_uids_.find(uid);
    if (it != of_uids_.end()) return it->second;
  }
  auto own = std::make_shared<v1::GetStatsResponse>(*whole);
  ShowRefusalOf(pool_.LastRefusalOf(uid), own.get());
  MutexLock lock(&mutex_);
  return of_uids_.emplace(uid, std::move(own)).first->second;
}

SharedStats::Snapshot SharedStats::Whole() {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(&mutex_);
    if (now >= filled_at_ + kStatsAge) {
      whole_ = nullptr;
      of_uids_.clear();
    }
    if (whole_ != nullptr) return whole_;
  }
  auto filled = std::make_shared<v1::GetStatsResponse>();
  stats_.Fill(filled.get());
  MutexLock lock(&mutex_);
  filled_at_ = now;
  whole_ = std::move(filled);
  return whole_;
}

}  // namespace warmpool
