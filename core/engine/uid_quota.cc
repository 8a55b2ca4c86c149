#include "core/engine/uid_quota.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

// What a refusal says of segments that are no lease's any more.
std::string TellUnproven(const UidQuota::Usage& used) {
  if (used.unproven_segments == 0) return "";
  return absl::StrCat(" (", FormatByteSize(used.unproven_bytes), " in ",
                      used.unproven_segments,
                      " of them released, but still "
                      "open or mapped somewhere: unmap them)");
}

}  // namespace

absl::Status UidQuota::Reserve(uid_t uid, uint64_t bytes) {
  MutexLock lock(&mutex_);
  const auto it = usage_.find(uid);
  const Usage used = it == usage_.end() ? Usage() : it->second;
  if (used.leases + used.unproven_segments >= options_.max_leases) {
    return absl::ResourceExhaustedError(
        absl::StrCat("uid ", uid, " has ", used.leases + used.unproven_segments,
                     " leases of the ", options_.max_leases,
                     " that one uid may have", TellUnproven(used),
                     ": release some, or have the daemon started with a larger "
                     "--max_leases_per_uid"));
  }
  // Forced bytes may be above the limit already.
  if (used.bytes > options_.max_bytes ||
      bytes > options_.max_bytes - used.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "uid ", uid, " has ", FormatByteSize(used.bytes), " of the ",
        FormatByteSize(options_.max_bytes), " that one uid may have",
        TellUnproven(used), ", and asks for ", FormatByteSize(bytes),
        " more: release some, or have the daemon started with a larger "
        "--max_bytes_per_uid"));
  }
  AddLocked(uid, {.leases = 1, .bytes = bytes});
  return absl::OkStatus();
}

void UidQuota::Force(uid_t uid, uint64_t bytes) {
  MutexLock lock(&mutex_);
  AddLocked(uid, {.leases = 1, .bytes = bytes});
}

void UidQuota::ForceBytes(uid_t uid, uint64_t bytes) {
  MutexLock lock(&mutex_);
  AddLocked(uid, {.bytes = bytes});
}

void UidQuota::ReleaseLease(uid_t uid) { Subtract(uid, {.leases = 1}); }

void UidQuota::ReleaseBytes(uid_t uid, uint64_t bytes) {
  Subtract(uid, {.bytes = bytes});
}

void UidQuota::AddUnproven(uid_t uid, uint64_t bytes) {
  MutexLock lock(&mutex_);
  AddLocked(uid,
            {.unproven_segments = 1, .unproven_bytes = bytes, .bytes = bytes});
}

void UidQuota::RemoveUnproven(uid_t uid, uint64_t bytes) {
  Subtract(uid,
           {.unproven_segments = 1, .unproven_bytes = bytes, .bytes = bytes});
}

void UidQuota::AddLocked(uid_t uid, const Usage& more) {
  Usage& usage = usage_[uid];
  usage.leases += more.leases;
  usage.unproven_segments += more.unproven_segments;
  usage.unproven_bytes += more.unproven_bytes;
  usage.bytes += more.bytes;
}

void UidQuota::Subtract(uid_t uid, const Usage& less) {
  MutexLock lock(&mutex_);
  Usage& usage = usage_[uid];
  WARMPOOL_CHECK(usage.leases >= less.leases && usage.bytes >= less.bytes &&
                     usage.unproven_segments >= less.unproven_segments &&
                     usage.unproven_bytes >= less.unproven_bytes,
                 "a uid gives back more than it has");
  usage.leases -= less.leases;
  usage.unproven_segments -= less.unproven_segments;
  usage.unproven_bytes -= less.unproven_bytes;
  usage.bytes -= less.bytes;
  if (usage.leases == 0 && usage.unproven_segments == 0 && usage.bytes == 0) {
    usage_.erase(uid);
  }
}

UidQuota::Usage UidQuota::UsageOf(uid_t uid) const {
  MutexLock lock(&mutex_);
  const auto it = usage_.find(uid);
  return it == usage_.end() ? Usage() : it->second;
}

void UidQuota::CheckInvariants() const {
  MutexLock lock(&mutex_);
  for (const auto& [uid, usage] : usage_) {
    WARMPOOL_CHECK(
        usage.leases > 0 || usage.unproven_segments > 0 || usage.bytes > 0,
        "a uid that has nothing is kept");
    WARMPOOL_CHECK(usage.bytes >= usage.unproven_bytes,
                   "a uid's unproven bytes are more than all its bytes");
  }
}

}  // namespace warmpool
