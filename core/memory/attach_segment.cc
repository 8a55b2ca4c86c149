#include "core/memory/attach_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/memory/aligned_map.h"
#include "core/memory/retry.h"

namespace warmpool {

absl::Status AttachSegment(SystemCalls& calls, const std::string& path,
                           bool writable, Segment* segment, PageState pages) {
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
  const absl::Cleanup close_fd = [&calls, fd] { calls.Close(fd); };

  FileState state;
  const int known =
      RetryOnInterrupt([&] { return calls.State(fd, &state); });
  if (known < 0) {
    return absl::ErrnoToStatus(-known, absl::StrCat("can't stat ", path));
  }
  // Access beyond the end of the file would be a SIGBUS.
  if (state.size_bytes < segment->bytes()) {
    return absl::FailedPreconditionError(
        absl::StrCat("segment ", path, " has ", state.size_bytes,
                     " bytes, the lease says ", segment->bytes()));
  }
  const absl::Status mapped =
      AlignedMap(calls, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                 MAP_SHARED, fd, segment);
  if (mapped.ok()) Populate(calls, *segment, writable, pages);
  return mapped;
}

}  // namespace warmpool
