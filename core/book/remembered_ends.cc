#include "core/book/remembered_ends.h"

#include "core/base/check.h"

namespace warmpool {

void RememberedEnds::AddHolder(uid_t uid) {
  ++uids_[uid].holders;
  unheld_.erase(uid);
}

void RememberedEnds::RemoveHolder(uid_t uid) {
  const auto it = uids_.find(uid);
  if (--it->second.holders > 0) return;
  if (it->second.leases.empty()) {
    uids_.erase(it);
  } else {
    unheld_.insert(uid);
  }
}

void RememberedEnds::Remember(uid_t uid, const LeaseId& lease, const End& end,
                              absl::FunctionRef<void(const End&)> forget) {
  OfUid& of_uid = uids_[uid];
  if (of_uid.holders == 0) unheld_.insert(uid);
  ends_.emplace(lease, end);
  of_uid.leases.push_back(lease);
  if (of_uid.leases.size() > kMostOfUid) ForgetOldest(&of_uid, forget);
  ForgetUnheld(forget);
}

void RememberedEnds::ForgetOldest(OfUid* of_uid,
                                  absl::FunctionRef<void(const End&)> forget) {
  const auto oldest = ends_.find(of_uid->leases.front());
  forget(oldest->second);
  ends_.erase(oldest);
  of_uid->leases.pop_front();
}

void RememberedEnds::ForgetUnheld(absl::FunctionRef<void(const End&)> forget) {
  if (unheld_.empty()) return;
  const auto uid = uids_.find(*unheld_.begin());
  OfUid& of_uid = uid->second;
  for (size_t i = 0; i < kForgottenAtOnce && !of_uid.leases.empty(); ++i) {
    ForgetOldest(&of_uid, forget);
  }
  if (!of_uid.leases.empty()) return;
  unheld_.erase(uid->first);
  uids_.erase(uid);
}

const RememberedEnds::End* RememberedEnds::Find(const LeaseId& lease) const {
  const auto it = ends_.find(lease);
  return it == ends_.end() ? nullptr : &it->second;
}

void RememberedEnds::CheckInvariants() const {
  size_t ends = 0;
  size_t unheld = 0;
  for (const auto& [uid, of_uid] : uids_) {
    WARMPOOL_CHECK(of_uid.leases.size() <= kMostOfUid, "too many ends");
    ends += of_uid.leases.size();
    if (of_uid.holders > 0) continue;
    WARMPOOL_CHECK(!of_uid.leases.empty(), "a uid without holders and ends");
    ++unheld;
    WARMPOOL_CHECK(unheld_.contains(uid), "ends that are kept for ever");
  }
  WARMPOOL_CHECK(ends == ends_.size(), "ends do not add up");
  WARMPOOL_CHECK(unheld == unheld_.size(),
                 "uids without holders do not add up");
}

}  // namespace warmpool
