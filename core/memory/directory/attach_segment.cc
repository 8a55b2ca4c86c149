#include "core/memory/directory/attach_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/memory/directory/segment_trust.h"
#include "core/memory/kernel/retry.h"
#include "core/memory/pages/aligned_map.h"

namespace warmpool {
namespace {

int ProtectionFor(bool writable) {
  return writable ? PROT_READ | PROT_WRITE : PROT_READ;
}

absl::Status CantOpen(const std::string& path, int error) {
  if (error == -ENOENT) {
    return absl::FailedPreconditionError(
        absl::StrCat("segment ", path, " is gone: its lease has ended, or ",
                     "this process sees another /dev/shm than the daemon"));
  }
  return absl::ErrnoToStatus(-error, absl::StrCat("can't open segment ", path));
}

// The kernel refuses neither for a mapping that is there.
void Confine(SystemCalls& calls, const Segment& segment, MappingScope scope) {
  if (!scope.core_dumps) {
    (void)calls.Advise(segment.data(), segment.bytes(), MADV_DONTDUMP);
  }
  if (!scope.forked_children) {
    (void)calls.Advise(segment.data(), segment.bytes(), MADV_DONTFORK);
  }
}

// A descriptor of the segment's file, of whatever kind that is. It is opened
// where nobody but the daemon can have put it.
absl::StatusOr<int> OpenInTrustedDirectory(SystemCalls& calls,
                                           const std::string& path,
                                           uid_t daemon, int flags) {
  const size_t slash = path.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "" : path.substr(0, slash);
  if (!absl::StartsWith(directory, "/")) {
    return absl::PermissionDeniedError(
        absl::StrCat("the daemon names \"", path,
                     "\", which is in no directory of its own"));
  }
  const int directory_fd = RetryOnInterrupt(
      [&] { return calls.Open(AT_FDCWD, directory, O_PATH | O_DIRECTORY, 0); });
  if (directory_fd < 0) return CantOpen(path, directory_fd);
  const absl::Status trusted =
      CheckSegmentDirectory(directory_fd, directory, daemon);
  int fd = -EACCES;
  if (trusted.ok()) {
    fd = RetryOnInterrupt([&] {
      return calls.Open(directory_fd, path.substr(slash + 1),
                        flags | O_NONBLOCK, 0);
    });
  }
  calls.Close(directory_fd);
  if (!trusted.ok()) return trusted;
  if (fd < 0) return CantOpen(path, fd);
  return fd;
}

// A descriptor of a segment's file, of `bytes` bytes at least, which the caller
// closes.
absl::StatusOr<int> OpenSegment(SystemCalls& calls, const std::string& path,
                                uid_t daemon, bool writable, size_t bytes) {
  ASSIGN_OR_RETURN(const int fd,
                   OpenInTrustedDirectory(calls, path, daemon,
                                          writable ? O_RDWR : O_RDONLY));
  const absl::Status trusted = CheckSegmentFile(fd, path, daemon);
  if (!trusted.ok()) {
    calls.Close(fd);
    return trusted;
  }
  FileState state;
  const int known = RetryOnInterrupt([&] { return calls.State(fd, &state); });
  if (known >= 0 && state.size_bytes >= bytes) return fd;
  calls.Close(fd);
  if (known < 0) {
    return absl::ErrnoToStatus(-known, absl::StrCat("can't stat ", path));
  }
  // Access beyond the end of the file would be a SIGBUS.
  return absl::FailedPreconditionError(
      absl::StrCat("segment ", path, " has ", state.size_bytes,
                   " bytes, and the lease says ", bytes,
                   ": a process truncated it; lease another"));
}

}  // namespace

absl::Status AttachSegment(SystemCalls& calls, const std::string& path,
                           uid_t daemon, bool writable, Segment* segment,
                           PageState pages, MappingScope scope) {
  ASSIGN_OR_RETURN(const int fd, OpenSegment(calls, path, daemon, writable,
                                             segment->bytes()));
  const absl::Status mapped =
      AlignedMap(calls, ProtectionFor(writable), MAP_SHARED, fd, segment);
  calls.Close(fd);
  if (!mapped.ok()) return mapped;
  Confine(calls, *segment, scope);
  Populate(calls, *segment, writable, pages);
  return mapped;
}

absl::Status RemapSegment(SystemCalls& calls, const std::string& path,
                          uid_t daemon, bool writable, const Segment& segment,
                          MappingScope scope) {
  ASSIGN_OR_RETURN(const int fd,
                   OpenSegment(calls, path, daemon, writable, segment.bytes()));
  const int64_t mapped =
      calls.Map(segment.data(), segment.bytes(), ProtectionFor(writable),
                MAP_SHARED | MAP_FIXED, fd);
  calls.Close(fd);
  if (mapped < 0) return MapError(mapped, segment.bytes());
  Confine(calls, segment, scope);
  return absl::OkStatus();
}

}  // namespace warmpool
