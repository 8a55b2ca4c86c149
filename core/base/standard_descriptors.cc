// Occupies those of the descriptors 0, 1 and 2 that are closed when a program
// starts. Otherwise the next file that is opened gets such a number, and what
// is printed is written into that file. Reading and writing them still fail
// with EBADF, so a program that prints to a closed output learns of it.
//
// It is enough to link this into a program; there is nothing to call. Libraries
// open descriptors in their initialisers (gRPC an eventfd), before main. Only
// .preinit_array comes before these.
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace warmpool {
namespace {

// Sanitizers have not begun: no function that they replace may be called.
void OccupyStandardDescriptors(int, char**, char**) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (syscall(SYS_fcntl, fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // openat(2) takes the lowest number that is free, which is `fd`: those
    // below it are occupied. The wrong direction makes each use fail.
    const int direction = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    syscall(SYS_openat, AT_FDCWD, "/dev/null", direction);
  }
}

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kFirstOfAll)(int, char**,
                                        char**) = OccupyStandardDescriptors;

}  // namespace
}  // namespace warmpool
