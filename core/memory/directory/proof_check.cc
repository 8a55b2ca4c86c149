#include "core/memory/directory/proof_check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/memory/kernel/retry.h"

namespace warmpool {
namespace {

constexpr char kScratchName[] = "proof-check";

absl::Status MissingCapability(absl::string_view deed, uid_t owner, int error,
                               absl::string_view capability) {
  return absl::FailedPreconditionError(absl::StrCat(
      "can't ", deed, " uid ", owner, " (", std::strerror(error),
      "): this daemon serves several uids and lacks ", capability,
      ": grant it, or run the daemon as an ordinary user, which serves its own "
      "uid alone"));
}

absl::Status NoLeases(const std::string& path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the filesystem of ", path,
      " can't tell whether somebody has a file open ", "(fcntl(F_SETLEASE): ",
      why, "): give the daemon a directory on a tmpfs, such as /dev/shm"));
}

// Asks for the lease and gives it back: 0, or -errno.
int TryLease(SystemCalls& calls, int fd, uid_t owner) {
  const int taken =
      RetryOnInterrupt([&] { return calls.SetFileLease(fd, F_WRLCK, owner); });
  if (taken < 0) return taken;
  return RetryOnInterrupt(
      [&] { return calls.SetFileLease(fd, F_UNLCK, owner); });
}

// Whether the kernel's answers are a proof: the one while the file was open a
// second time, and the one afterwards.
absl::Status Judge(const std::string& path, uid_t owner,
                   int while_open_elsewhere, int alone) {
  if (while_open_elsewhere == -EACCES) {
    return MissingCapability("take a lease on a file of", owner, EACCES,
                             "CAP_LEASE, and CAP_SETUID instead of it");
  }
  if (while_open_elsewhere >= 0) {
    return NoLeases(path, "granted though somebody has it open");
  }
  if (while_open_elsewhere != -EAGAIN) {
    return NoLeases(path, std::strerror(-while_open_elsewhere));
  }
  if (alone < 0) {
    return NoLeases(path, absl::StrCat("refused though nobody has it open: ",
                                       std::strerror(-alone)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckProof(SystemCalls& calls, int directory_fd,
                        const std::string& path, uid_t owner) {
  // Left by a daemon that was killed in the midst of this.
  unlinkat(directory_fd, kScratchName, 0);
  const int fd =
      openat(directory_fd, kScratchName,
             O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  // A filesystem that has no room for one file more must not keep out the
  // daemon that comes to give its bytes back.
  if (fd < 0 && errno == ENOSPC) return absl::OkStatus();
  if (fd < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("can't make a scratch file in ", path));
  }
  absl::Cleanup close_fd = [fd] { close(fd); };
  const int given = owner == geteuid() ? 0 : RetryOnInterrupt([&] {
    return calls.ChangeOwner(fd, owner);
  });
  // By its name, as a later daemon opens what it finds.
  const int second =
      openat(directory_fd, kScratchName, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  const int opening_error = errno;
  unlinkat(directory_fd, kScratchName, 0);
  const int while_open_elsewhere =
      given < 0 || second < 0 ? 0 : TryLease(calls, fd, owner);
  if (second >= 0) close(second);
  if (given == -EINVAL) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this daemon serves several uids, but its user namespace has no uid ",
        owner,
        ": map it there, or run the daemon as an ordinary user, which "
        "serves its own uid alone"));
  }
  if (given < 0) {
    return MissingCapability("give a file to", owner, -given, "CAP_CHOWN");
  }
  if (second < 0) {
    return MissingCapability("open a file of", owner, opening_error,
                             "CAP_DAC_OVERRIDE");
  }
  return Judge(path, owner, while_open_elsewhere, TryLease(calls, fd, owner));
}

}  // namespace warmpool
