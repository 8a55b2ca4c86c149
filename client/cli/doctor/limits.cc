#include "client/cli/doctor/limits.h"

#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/doctor/text_files.h"
#include "client/tool/format.h"
#include "core/base/byte_size.h"
#include "core/memory/kernel/descriptor_limit.h"

namespace warmpool::doctor {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();
// The daemon's own files, and a few clients.
constexpr uint64_t kFewestDescriptors = 64;
// What a process maps besides buffers: its program, libraries, stacks, heap.
constexpr uint64_t kOtherMappings = 1000;

// A daemon's journal, of a few leases.
constexpr uint64_t kSmallestFiles = 64 * kKiB;

struct Limit {
  uint64_t soft = 0;
  uint64_t hard = 0;
};

uint64_t ParseLimit(absl::string_view word) {
  return word == "unlimited" ? kUnlimited : NumberIn(word).value_or(0);
}

// A line of /proc/PID/limits: "Max open files  1024  4096  files".
std::optional<Limit> ReadLimit(const Plan& plan, absl::string_view name) {
  const std::optional<std::string> rest = ValueOf(
      ReadLines(absl::StrCat(plan.root, "/proc/", plan.Process(), "/limits")),
      name);
  if (!rest.has_value()) return std::nullopt;
  const std::vector<absl::string_view> words =
      absl::StrSplit(*rest, ' ', absl::SkipEmpty());
  if (words.size() < 2) return std::nullopt;
  return Limit{ParseLimit(words[0]), ParseLimit(words[1])};
}

Check Unreadable(const char* name, absl::string_view file) {
  return Warn(name, absl::StrCat("can't read ", file),
              "mount /proc, and run this as root or as the daemon's user");
}

// Warmpool locks no memory. Who hands buffers to a device does.
Check CheckMemlock(const Plan& plan) {
  const std::optional<Limit> limit = ReadLimit(plan, "Max locked memory");
  if (!limit.has_value()) return Unreadable("memlock", "limits");
  if (limit->soft == kUnlimited) return Ok("memlock", "unlimited");
  const std::string value =
      absl::StrCat(FormatByteSize(limit->soft),
                   " may be locked by a process that pins buffers (mlock, "
                   "io_uring, RDMA); Warmpool itself locks none");
  if (limit->soft >= plan.locked_bytes) {
    return Ok("memlock", value);
  }
  return Warn("memlock", value,
              "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit of "
              "such a process");
}

Check CheckDescriptors(const Plan& plan) {
  const std::optional<Limit> limit = ReadLimit(plan, "Max open files");
  if (!limit.has_value()) return Unreadable("descriptors", "limits");
  const uint64_t segments = DescriptorsForSegments(limit->hard);
  const std::string value =
      absl::StrCat(FormatCount(limit->hard), " at most, of them ",
                   FormatCount(segments), " for segments");
  const std::string remedy =
      absl::StrCat("LimitNOFILE=", plan.buffers / 3 * 4 + kReservedDescriptors,
                   " in the daemon's unit, or ulimit -Hn before it starts");
  if (limit->hard < kFewestDescriptors) {
    return Fail("descriptors", value, remedy);
  }
  if (segments >= plan.buffers) return Ok("descriptors", value);
  return Warn("descriptors",
              absl::StrCat(value, ": of ", FormatCount(plan.buffers),
                           " buffers some are opened again and again"),
              remedy);
}

// Segments and the journal are files.
Check CheckFileSize(const Plan& plan) {
  constexpr char kName[] = "file_size";
  const std::optional<Limit> limit = ReadLimit(plan, "Max file size");
  if (!limit.has_value()) return Unreadable(kName, "limits");
  if (limit->soft == kUnlimited) return Ok(kName, "unlimited");
  const std::string value =
      absl::StrCat(FormatByteSize(limit->soft),
                   " in a file at most (RLIMIT_FSIZE), so in a buffer too");
  constexpr char kRemedy[] =
      "LimitFSIZE=infinity in the daemon's unit, or ulimit -f unlimited before "
      "it starts";
  if (limit->soft < kSmallestFiles) return Fail(kName, value, kRemedy);
  if (limit->soft >= plan.capacity_bytes.value_or(kUnlimited)) {
    return Ok(kName, value);
  }
  return Warn(kName, value, kRemedy);
}

Check CheckMappings(const Plan& plan) {
  const std::optional<uint64_t> limit =
      NumberIn(ReadText(plan.root + "/proc/sys/vm/max_map_count"));
  if (!limit.has_value()) {
    return Unreadable("mappings", "/proc/sys/vm/max_map_count");
  }
  const std::string value =
      absl::StrCat(FormatCount(*limit), " in a process (vm.max_map_count)");
  if (*limit >= plan.buffers + kOtherMappings) return Ok("mappings", value);
  return Warn("mappings",
              absl::StrCat(value, ": none can have all ",
                           FormatCount(plan.buffers), " buffers mapped"),
              absl::StrCat("sysctl -w vm.max_map_count=",
                           2 * (plan.buffers + kOtherMappings)));
}

}  // namespace

Checks CheckLimits(const Plan& plan) {
  return {CheckMemlock(plan), CheckDescriptors(plan), CheckFileSize(plan),
          CheckMappings(plan)};
}

}  // namespace warmpool::doctor
