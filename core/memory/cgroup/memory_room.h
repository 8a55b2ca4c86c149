// MemoryRoom: lets memory be made where this process's control groups have room
// for it, as beyond their limit the kernel kills and says nothing before.
//
// Files are read rarely, since that takes some 90 us: a reading holds for
// kHolds, or until an eighth of the room that it showed was taken since.
// Whoever finds no room has looked anew.
#ifndef WARMPOOL_CORE_MEMORY_CGROUP_MEMORY_ROOM_H_
#define WARMPOOL_CORE_MEMORY_CGROUP_MEMORY_ROOM_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/memory/cgroup/memory_limit.h"

namespace warmpool {

// Thread-safe.
class MemoryRoom {
 public:
  static constexpr absl::Duration kHolds = absl::Milliseconds(100);
  // One that found no limit: those are seldom set on a service that runs.
  static constexpr absl::Duration kHoldsWithoutLimit = absl::Seconds(1);

  // Bytes of a limit that segments leave: for the process itself, the kernel's
  // book-keeping of its pages, and who else is in the group. 16 MiB or a 64th,
  // but a quarter at most.
  static uint64_t KeptBytes(uint64_t limit_bytes);

  // MemoryLimit::Read. Called by several threads at once, under no lock.
  using Reader = std::function<std::optional<MemoryUse>()>;

  // `clock` must outlive this.
  MemoryRoom(Reader read, const Clock* clock)
      : read_(std::move(read)), clock_(*clock) {}

  // Room that was taken for memory which is being made. It ends when that is
  // there, and charged, or given up.
  class Claim {
   public:
    Claim(Claim&& other) noexcept
        : room_(std::exchange(other.room_, nullptr)), bytes_(other.bytes_) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (room_ != nullptr) room_->End(bytes_);
    }

   private:
    friend class MemoryRoom;
    Claim(MemoryRoom* room, uint64_t bytes) : room_(room), bytes_(bytes) {}

    MemoryRoom* room_;
    uint64_t bytes_;
  };

  // RESOURCE_EXHAUSTED, telling the bytes free, the limit and the remedy.
  absl::StatusOr<Claim> Take(uint64_t bytes);

  // Bytes that could be taken; nullopt: there is no limit.
  std::optional<uint64_t> FreeBytes();

 private:
  void Poll();
  uint64_t FreeLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(uint64_t bytes);

  const Reader read_;
  const Clock& clock_;

  Mutex mutex_;
  // The last reading, what it left to segments, and when it no longer holds.
  std::optional<MemoryUse> use_ ABSL_GUARDED_BY(mutex_);
  uint64_t room_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time holds_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Bytes that it may not have seen: under way when it began, or taken since.
  uint64_t unseen_ ABSL_GUARDED_BY(mutex_) = 0;
  // Bytes under way, and all that were ever taken.
  uint64_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_CGROUP_MEMORY_ROOM_H_
