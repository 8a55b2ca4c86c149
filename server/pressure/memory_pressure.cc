#include "server/pressure/memory_pressure.h"

#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/memory/cgroup/memory_room.h"
#include "server/log/log_value.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// The machine is short of memory when less than this share is available.
constexpr uint64_t kAvailableShare = 32;
// A group is, when others have half of what the pool leaves to them.
constexpr uint64_t kKeptShare = 2;

struct MachineMemory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;
};

// proc_meminfo(5). All 0 where it can't be read.
MachineMemory ReadMachineMemory(const std::string& path) {
  MachineMemory memory;
  std::ifstream file(path);
  std::string name;
  std::string unit;
  uint64_t kibibytes = 0;
  while (file >> name >> kibibytes && std::getline(file, unit)) {
    if (name == "MemTotal:") memory.total_bytes = kibibytes * kKiB;
    if (name == "MemAvailable:") memory.available_bytes = kibibytes * kKiB;
  }
  return memory;
}

}  // namespace

MemoryPressure::MemoryPressure(const MemoryLimit* limit, const Clock* clock,
                               Hooks hooks, std::string root)
    : limit_(*limit),
      clock_(*clock),
      hooks_(std::move(hooks)),
      root_(std::move(root)),
      log_(clock) {}

void MemoryPressure::Start() {
  std::vector<std::string> files = {root_ + "/proc/pressure/memory"};
  for (std::string& file : limit_.PressureFiles()) {
    files.push_back(std::move(file));
  }
  const absl::Status watched = watch_.Start(
      files, [this] { Relieve("processes wait for memory (PSI)"); });
  told_by_kernel_ = watched.ok();
  if (watched.ok()) {
    spdlog::info("memory pressure told_by=kernel");
  } else {
    spdlog::info("memory pressure told_by=room reason={}",
                 LogValue(watched.message()));
  }
}

absl::Time MemoryPressure::Poll() {
  const absl::Time now = clock_.Now();
  if (now < next_look_) return next_look_;
  next_look_ = now + kLookEvery;
  if (hooks_.kept_bytes() == 0) return absl::InfiniteFuture();
  if (told_by_kernel_ && !limit_.Read().has_value()) {
    return absl::InfiniteFuture();
  }
  const absl::Status room = CheckRoom();
  if (!room.ok()) Relieve(room.message());
  return next_look_;
}

absl::Status MemoryPressure::CheckRoom() const {
  const std::optional<MemoryUse> use = limit_.Read();
  if (use.has_value() &&
      use->room_bytes() <
          MemoryRoom::KeptBytes(use->limit_bytes) / kKeptShare) {
    return absl::ResourceExhaustedError(
        absl::StrCat(FormatByteSize(use->room_bytes()), " left within ",
                     use->limit_file, ", ", FormatByteSize(use->limit_bytes)));
  }
  const MachineMemory memory = ReadMachineMemory(root_ + "/proc/meminfo");
  if (memory.available_bytes < memory.total_bytes / kAvailableShare) {
    return absl::ResourceExhaustedError(absl::StrCat(
        FormatByteSize(memory.available_bytes), " available of ",
        FormatByteSize(memory.total_bytes), " of the machine's memory"));
  }
  return absl::OkStatus();
}

void MemoryPressure::Relieve(absl::string_view why) {
  const uint64_t bytes = hooks_.shed();
  events_.fetch_add(1, std::memory_order_relaxed);
  ended_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (const auto suppressed = log_.Pass("memory pressure")) {
    spdlog::warn("memory pressure ended={} reason={}{}",
                 LogValue(FormatByteSize(bytes)), LogValue(why), *suppressed);
  }
}

MemoryPressure::Counts MemoryPressure::counts() const {
  return {.told_by_kernel = told_by_kernel_,
          .events = events_.load(std::memory_order_relaxed),
          .ended_bytes = ended_bytes_.load(std::memory_order_relaxed)};
}

}  // namespace warmpool
