// How pages are cleared ahead of their first lease.
#include <errno.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/retry.h"

namespace warmpool {
namespace {

// What one pwrite clears: as much as stays in the processor's cache.
constexpr std::array<std::byte, 64 * kKiB> kZeroes{};

}  // namespace

absl::Status SegmentDirectory::Populate(const Segment& segment, uint64_t offset,
                                        uint64_t bytes) {
  const uint64_t cleared =
      segment.page_bytes() == kHugePageSize
          ? segment.bytes() - segment.bytes() % kHugePageSize
          : 0;
  const uint64_t end = offset + bytes;
  offset = std::max(offset, cleared);
  if (offset >= end) return absl::OkStatus();
  bool keep = false;
  const int fd = OpenToProve(segment, &keep);
  int64_t written = fd;
  while (written >= 0 && offset < end) {
    const size_t piece = std::min<uint64_t>(kZeroes.size(), end - offset);
    written = RetryOnInterrupt(
        [&] { return calls_.Write(fd, kZeroes.data(), piece, offset); });
    if (written == 0) written = -EIO;
    if (written > 0) offset += static_cast<uint64_t>(written);
  }
  if (fd >= 0 && keep) descriptors_.Put(segment.parts().descriptor_key, fd);
  if (fd >= 0 && !keep) calls_.Close(fd);
  if (written >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(
      static_cast<int>(-written),
      absl::StrCat("can't clear the pages of segment ", PathOf(segment)));
}

}  // namespace warmpool
