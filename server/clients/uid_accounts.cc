#include "server/clients/uid_accounts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

const char* Told(UidAccounts::Resource resource) {
  switch (resource) {
    case UidAccounts::Resource::kCalls:
      return "calls under way: end streams, or wait for answers";
    case UidAccounts::Resource::kStatsWatches:
      return "WatchStats streams: end some, or ask with GetStats";
    case UidAccounts::Resource::kHeldBytes:
      return "bytes of answers that it has not read, and of requests that "
             "wait: read the answers";
  }
  return "";
}

}  // namespace

absl::Status UidAccounts::Take(uid_t uid, Resource resource, uint64_t amount) {
  const size_t index = static_cast<size_t>(resource);
  const uint64_t limit = options_.limits[index];
  MutexLock lock(&mutex_);
  const auto it = usage_.find(uid);
  const uint64_t used = it == usage_.end() ? 0 : it->second[index];
  if (used > limit || amount > limit - used) {
    return absl::ResourceExhaustedError(
        absl::StrCat("uid ", uid, " has ", used, " of the ", limit,
                     " that one uid may have of ", Told(resource)));
  }
  usage_[uid][index] += amount;
  return absl::OkStatus();
}

void UidAccounts::Force(uid_t uid, Resource resource, uint64_t amount) {
  MutexLock lock(&mutex_);
  usage_[uid][static_cast<size_t>(resource)] += amount;
}

void UidAccounts::Give(uid_t uid, Resource resource, uint64_t amount) {
  MutexLock lock(&mutex_);
  Usage& usage = usage_[uid];
  uint64_t& used = usage[static_cast<size_t>(resource)];
  WARMPOOL_CHECK(used >= amount, "a uid gives back more than it took");
  used -= amount;
  const bool has_nothing = std::all_of(usage.begin(), usage.end(),
                                       [](uint64_t one) { return one == 0; });
  if (has_nothing) usage_.erase(uid);
}

uint64_t UidAccounts::UsageOf(uid_t uid, Resource resource) const {
  MutexLock lock(&mutex_);
  const auto it = usage_.find(uid);
  return it == usage_.end() ? 0 : it->second[static_cast<size_t>(resource)];
}

UidCharge::~UidCharge() {
  if (accounts_ != nullptr) accounts_->Give(uid_, resource_, amount_);
}

absl::Status UidCharge::Take(UidAccounts* accounts, uid_t uid,
                             UidAccounts::Resource resource, uint64_t amount) {
  RETURN_IF_ERROR(accounts->Take(uid, resource, amount));
  accounts_ = accounts;
  uid_ = uid;
  resource_ = resource;
  amount_ = amount;
  return absl::OkStatus();
}

}  // namespace warmpool
