#include "core/memory/attach_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/memory/aligned_map.h"
#include "core/memory/retry.h"

namespace warmpool {
namespace {

int ProtectionFor(bool writable) {
  return writable ? PROT_READ | PROT_WRITE : PROT_READ;
}

// A descriptor of a segment's file, of `bytes` bytes at least, which the caller
// closes.
absl::StatusOr<int> OpenSegment(SystemCalls& calls, const std::string& path,
                                bool writable, size_t bytes) {
  const int fd = RetryOnInterrupt([&] {
    return calls.Open(AT_FDCWD, path, writable ? O_RDWR : O_RDONLY, 0);
  });
  if (fd == -ENOENT) {
    return absl::FailedPreconditionError(
        absl::StrCat("segment ", path, " is gone: its lease has ended, or ",
                     "this process sees another /dev/shm than the daemon"));
  }
  if (fd < 0) {
    return absl::ErrnoToStatus(-fd, absl::StrCat("can't open segment ", path));
  }
  FileState state;
  const int known =
      RetryOnInterrupt([&] { return calls.State(fd, &state); });
  if (known >= 0 && state.size_bytes >= bytes) return fd;
  calls.Close(fd);
  if (known < 0) {
    return absl::ErrnoToStatus(-known, absl::StrCat("can't stat ", path));
  }
  // Access beyond the end of the file would be a SIGBUS.
  return absl::FailedPreconditionError(
      absl::StrCat("segment ", path, " has ", state.size_bytes,
                   " bytes, the lease says ", bytes));
}

}  // namespace

absl::Status AttachSegment(SystemCalls& calls, const std::string& path,
                           bool writable, Segment* segment, PageState pages) {
  const absl::StatusOr<int> fd =
      OpenSegment(calls, path, writable, segment->bytes());
  if (!fd.ok()) return fd.status();
  const absl::Status mapped =
      AlignedMap(calls, ProtectionFor(writable), MAP_SHARED, *fd, segment);
  calls.Close(*fd);
  if (mapped.ok()) Populate(calls, *segment, writable, pages);
  return mapped;
}

absl::Status RemapSegment(SystemCalls& calls, const std::string& path,
                          bool writable, const Segment& segment) {
  const absl::StatusOr<int> fd =
      OpenSegment(calls, path, writable, segment.bytes());
  if (!fd.ok()) return fd.status();
  const int64_t mapped =
      calls.Map(segment.data(), segment.bytes(), ProtectionFor(writable),
                MAP_SHARED | MAP_FIXED, *fd);
  calls.Close(*fd);
  if (mapped >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(static_cast<int>(-mapped),
                             absl::StrCat("can't map segment ", path, " anew"));
}

}  // namespace warmpool
