#include "client/leases/known_leases.h"

#include <algorithm>

namespace warmpool {

void KnownLeases::Begin(const std::string& request_id) {
  MutexLock lock(&mutex_);
  in_flight_.insert(request_id);
}

std::shared_ptr<const LeaseFate> KnownLeases::Granted(
    const std::string& request_id, const v1::GrantedLease& granted) {
  MutexLock lock(&mutex_);
  Entry& entry = leases_[granted.lease_id()];
  entry = Entry{
      {granted, request_id}, absl::OkStatus(), std::make_shared<LeaseFate>()};
  const auto early =
      std::find_if(early_verdicts_.begin(), early_verdicts_.end(),
                   [&](const EarlyVerdict& early) {
                     return early.lease_id == granted.lease_id();
                   });
  if (early != early_verdicts_.end()) {
    entry.verdict = early->verdict;
    entry.fate->ended = true;
  }
  EndRequestLocked(request_id);
  return entry.fate;
}

void KnownLeases::EndRequestLocked(const std::string& request_id) {
  in_flight_.erase(request_id);
  if (in_flight_.empty()) early_verdicts_.clear();
}

void KnownLeases::Refused(const std::string& request_id) {
  MutexLock lock(&mutex_);
  EndRequestLocked(request_id);
}

void KnownLeases::GivenUp(const std::string& request_id, absl::Time now) {
  MutexLock lock(&mutex_);
  EndRequestLocked(request_id);
  in_doubt_[request_id] = now + kDoubtFor;
}

bool KnownLeases::Drop(const std::string& lease_id) {
  MutexLock lock(&mutex_);
  return leases_.erase(lease_id) > 0;
}

void KnownLeases::DropForAll(const std::string& lease_id) {
  MutexLock lock(&mutex_);
  leases_.erase(lease_id);
  dropped_for_all_.push_back(lease_id);
  if (dropped_for_all_.size() > kDroppedForAll) dropped_for_all_.pop_front();
}

bool KnownLeases::WasDroppedForAll(const std::string& lease_id) const {
  MutexLock lock(&mutex_);
  return std::find(dropped_for_all_.begin(), dropped_for_all_.end(),
                   lease_id) != dropped_for_all_.end();
}

void KnownLeases::Sealed(const std::string& lease_id, uint64_t size_bytes) {
  MutexLock lock(&mutex_);
  const auto found = leases_.find(lease_id);
  if (found == leases_.end()) return;
  found->second.size_untold = false;
  found->second.known.granted.set_size_bytes(size_bytes);
  found->second.known.granted.set_sealed(true);
  found->second.known.granted.set_access(v1::ACCESS_READ_ONLY);
}

void KnownLeases::Resize(const std::string& lease_id, uint64_t size_bytes) {
  MutexLock lock(&mutex_);
  const auto found = leases_.find(lease_id);
  if (found == leases_.end()) return;
  found->second.size_untold = true;
  found->second.known.granted.set_size_bytes(size_bytes);
}

void KnownLeases::SizeTold(const std::string& lease_id, uint64_t size_bytes) {
  MutexLock lock(&mutex_);
  const auto found = leases_.find(lease_id);
  if (found == leases_.end()) return;
  if (found->second.known.granted.size_bytes() != size_bytes) return;
  found->second.size_untold = false;
}

std::vector<KnownLeases::Known> KnownLeases::WithUntoldSize() const {
  MutexLock lock(&mutex_);
  std::vector<Known> untold;
  for (const auto& [id, entry] : leases_) {
    if (entry.verdict.ok() && entry.size_untold) untold.push_back(entry.known);
  }
  return untold;
}

void KnownLeases::Lose(const std::string& lease_id,
                       const absl::Status& verdict) {
  MutexLock lock(&mutex_);
  const auto found = leases_.find(lease_id);
  if (found != leases_.end()) {
    found->second.verdict = verdict;
    found->second.fate->ended = true;
  } else if (!in_flight_.empty()) {
    early_verdicts_.push_back({lease_id, verdict});
    if (early_verdicts_.size() > kEarlyVerdicts) early_verdicts_.pop_front();
  }
}

absl::Status KnownLeases::VerdictOn(const std::string& lease_id) const {
  MutexLock lock(&mutex_);
  const auto found = leases_.find(lease_id);
  return found == leases_.end() ? absl::OkStatus() : found->second.verdict;
}

bool KnownLeases::IsLive(const std::string& lease_id) const {
  MutexLock lock(&mutex_);
  const auto found = leases_.find(lease_id);
  return found != leases_.end() && found->second.verdict.ok();
}

std::optional<KnownLeases::Known> KnownLeases::FindLive(
    const std::string& lease_id) const {
  MutexLock lock(&mutex_);
  const auto found = leases_.find(lease_id);
  if (found == leases_.end() || !found->second.verdict.ok()) {
    return std::nullopt;
  }
  return found->second.known;
}

std::vector<KnownLeases::Known> KnownLeases::Live() const {
  MutexLock lock(&mutex_);
  std::vector<Known> live;
  live.reserve(leases_.size());
  for (const auto& [id, entry] : leases_) {
    if (entry.verdict.ok()) live.push_back(entry.known);
  }
  return live;
}

bool KnownLeases::IsForgotten(const std::string& lease_id,
                              const std::string& request_id) const {
  MutexLock lock(&mutex_);
  return !leases_.contains(lease_id) && !in_flight_.contains(request_id);
}

bool KnownLeases::SettleDoubts(
    const absl::flat_hash_set<std::string>& listed_requests, absl::Time now) {
  MutexLock lock(&mutex_);
  absl::erase_if(in_doubt_, [&](const auto& doubt) {
    return listed_requests.contains(doubt.first) || doubt.second <= now;
  });
  return in_doubt_.empty();
}

size_t KnownLeases::size() const {
  MutexLock lock(&mutex_);
  return leases_.size();
}

size_t KnownLeases::in_flight() const {
  MutexLock lock(&mutex_);
  return in_flight_.size();
}

size_t KnownLeases::in_doubt() const {
  MutexLock lock(&mutex_);
  return in_doubt_.size();
}

}  // namespace warmpool
