#include "core/memory/cgroup/memory_room.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr uint64_t kLeastKept = 16 * kMiB;
constexpr uint64_t kKeptShare = 64;
constexpr uint64_t kMostKeptShare = 4;
// Of the room that was seen; the rest guards against who else is in the group.
constexpr uint64_t kUnseenShare = 8;

}  // namespace

uint64_t MemoryRoom::KeptBytes(uint64_t limit_bytes) {
  return std::min(std::max(kLeastKept, limit_bytes / kKeptShare),
                  limit_bytes / kMostKeptShare);
}

absl::StatusOr<MemoryRoom::Claim> MemoryRoom::Take(uint64_t bytes) {
  bool holds = false;
  {
    MutexLock lock(&mutex_);
    holds = clock_.Now() < holds_until_ &&
            (!use_.has_value() || unseen_ + bytes <= room_ / kUnseenShare);
  }
  if (!holds) Poll();
  MutexLock lock(&mutex_);
  // Others may have taken it since.
  if (use_.has_value() && FreeLocked() < bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no room for a segment of ", bytes, " bytes: ", FreeLocked(),
        " bytes free within ", use_->limit_file, ", which is ",
        use_->limit_bytes, " (", use_->used_bytes, " in use, ",
        KeptBytes(use_->limit_bytes),
        " kept for the daemon itself); raise that, or lower the capacity"));
  }
  unseen_ += bytes;
  under_way_ += bytes;
  taken_ += bytes;
  return Claim(this, bytes);
}

std::optional<uint64_t> MemoryRoom::FreeBytes() {
  bool holds = false;
  {
    MutexLock lock(&mutex_);
    holds = clock_.Now() < holds_until_;
  }
  if (!holds) Poll();
  MutexLock lock(&mutex_);
  if (!use_.has_value()) return std::nullopt;
  return FreeLocked();
}

void MemoryRoom::Poll() {
  const absl::Time now = clock_.Now();
  uint64_t taken_before = 0;
  uint64_t under_way = 0;
  {
    MutexLock lock(&mutex_);
    taken_before = taken_;
    under_way = under_way_;
  }
  std::optional<MemoryUse> use = read_();
  uint64_t room = 0;
  if (use.has_value()) {
    const uint64_t kept = KeptBytes(use->limit_bytes);
    room = use->room_bytes() - std::min(use->room_bytes(), kept);
  }
  MutexLock lock(&mutex_);
  // A reading that began earlier than the one it takes the place of is as good:
  // what was taken since is counted.
  holds_until_ = now + (use.has_value() ? kHolds : kHoldsWithoutLimit);
  use_ = std::move(use);
  room_ = room;
  unseen_ = under_way + (taken_ - taken_before);
}

uint64_t MemoryRoom::FreeLocked() const {
  return room_ - std::min(room_, unseen_);
}

void MemoryRoom::End(uint64_t bytes) {
  MutexLock lock(&mutex_);
  under_way_ -= bytes;
}

}  // namespace warmpool
