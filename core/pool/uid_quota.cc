#include "core/pool/uid_quota.h"

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/base/check.h"

namespace warmpool {

absl::Status UidQuota::Reserve(uid_t uid, uint64_t bytes) {
  const Usage used = UsageOf(uid);
  if (used.leases >= options_.max_leases) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "uid ", uid, " has ", used.leases, " leases of the ",
        options_.max_leases,
        " that one uid may have: release some, or have the daemon's limit "
        "raised"));
  }
  // Forced bytes may be above the limit already.
  if (used.bytes > options_.max_bytes ||
      bytes > options_.max_bytes - used.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "uid ", uid, " has ", FormatByteSize(used.bytes), " of the ",
        FormatByteSize(options_.max_bytes), " that one uid may have, and asks for ",
        FormatByteSize(bytes),
        " more: release some, or have the daemon's limit raised"));
  }
  Force(uid, bytes);
  return absl::OkStatus();
}

void UidQuota::Force(uid_t uid, uint64_t bytes) {
  Usage& usage = usage_[uid];
  ++usage.leases;
  usage.bytes += bytes;
}

void UidQuota::ForceBytes(uid_t uid, uint64_t bytes) {
  usage_[uid].bytes += bytes;
}

void UidQuota::Release(uid_t uid, size_t leases, uint64_t bytes) {
  Usage& usage = usage_[uid];
  WARMPOOL_CHECK(usage.leases >= leases && usage.bytes >= bytes,
                 "a uid gives back more than it has");
  usage.leases -= leases;
  usage.bytes -= bytes;
  if (usage.leases == 0 && usage.bytes == 0) usage_.erase(uid);
}

UidQuota::Usage UidQuota::UsageOf(uid_t uid) const {
  const auto it = usage_.find(uid);
  return it == usage_.end() ? Usage() : it->second;
}

void UidQuota::CheckInvariants() const {
  for (const auto& [uid, usage] : usage_) {
    WARMPOOL_CHECK(usage.leases > 0 || usage.bytes > 0,
                   "a uid that has nothing is kept");
  }
}

}  // namespace warmpool
