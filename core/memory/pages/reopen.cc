#include "core/memory/pages/reopen.h"

#include <errno.h>
#include <fcntl.h>

#include "core/memory/kernel/retry.h"

namespace warmpool {

int Reopen(SystemCalls& calls, const Segment::Parts& parts, int access) {
  // A client may have a lease of the kernel's on it, or have put a pipe in its
  // place: neither is waited for.
  const int fd = RetryOnInterrupt([&] {
    return calls.Open(parts.directory_fd, parts.file_name, access | O_NONBLOCK,
                      0);
  });
  // A symbolic link, a directory, a socket: no file of ours.
  if (fd == -ELOOP || fd == -EISDIR || fd == -ENXIO) return -ENOENT;
  // Of one that this daemon never had open, nothing is known to compare.
  if (fd < 0 || parts.inode == 0) return fd;
  FileState state;
  const int known = RetryOnInterrupt([&] { return calls.State(fd, &state); });
  if (known >= 0 && state.device == parts.device &&
      state.inode == parts.inode) {
    return fd;
  }
  calls.Close(fd);
  return known < 0 ? known : -ENOENT;
}

}  // namespace warmpool
