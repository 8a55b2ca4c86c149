// The one file that makes memory system calls.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/memory/kernel/ending_calls.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {
namespace {

int ResultOf(int returned) { return returned < 0 ? -errno : returned; }

// The steps of making and ending memory. What proves a segment for each lease
// is quick, and reading the clock twice would be felt.
bool IsTimed(SystemCalls::Call call) {
  using Call = SystemCalls::Call;
  switch (call) {
    case Call::kOpen:
    case Call::kFallocate:
    case Call::kMmap:
    case Call::kMadvise:
    case Call::kProcessMadvise:
    case Call::kMunmap:
    case Call::kUnlink:
    case Call::kClose:
    case Call::kRename:
    case Call::kTruncate: return true;
    default: return false;
  }
}

}  // namespace

const char* SystemCalls::Name(Call call) {
  switch (call) {
    case Call::kOpen: return "openat";
    case Call::kFallocate: return "fallocate";
    case Call::kFstat: return "fstat";
    case Call::kFcntl: return "fcntl";
    case Call::kFstatfs: return "fstatfs";
    case Call::kMmap: return "mmap";
    case Call::kMadvise: return "madvise";
    case Call::kProcessMadvise: return "process_madvise";
    case Call::kMunmap: return "munmap";
    case Call::kUnlink: return "unlinkat";
    case Call::kClose: return "close";
    case Call::kRead: return "pread";
    case Call::kWrite: return "pwrite";
    case Call::kRename: return "renameat2";
    case Call::kMkdir: return "mkdirat";
    case Call::kChown: return "fchown";
    case Call::kChmod: return "fchmod";
    case Call::kTruncate: return "ftruncate";
    case Call::kFsetxattr: return "fsetxattr";
  }
  return "?";
}

class LinuxSystemCalls::Timed {
 public:
  Timed(LinuxSystemCalls* calls, Call call)
      : latency_(calls->latencies_[static_cast<size_t>(call)]),
        begun_(MonotonicClock::Get().Now()) {
    calls->Counted(call);
  }
  ~Timed() { latency_.Record(MonotonicClock::Get().Now() - begun_); }

 private:
  LatencyHistogram& latency_;
  const absl::Time begun_;
};

class LinuxSystemCalls::LinuxEndingCalls final : public EndingCalls {
 public:
  explicit LinuxEndingCalls(LinuxSystemCalls* calls) : calls_(*calls) {}

  int Unmap(void* address, size_t bytes) override {
    const Timed timed(&calls_, Call::kMunmap);
    return ResultOf(munmap(address, bytes));
  }

  int FreePages(const std::vector<iovec>& ranges) override {
    const Timed timed(&calls_, Call::kProcessMadvise);
    // A process may advise itself since Linux 6.13; the kernel flushes the TLB
    // once for all ranges since 6.16.
    const int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
    if (self < 0) return -errno;
    size_t bytes = 0;
    for (const iovec& range : ranges) bytes += range.iov_len;
    const ssize_t advised = syscall(SYS_process_madvise, self, ranges.data(),
                                    ranges.size(), MADV_DONTNEED, 0);
    const int error = errno;
    close(self);
    if (advised < 0) return -error;
    return static_cast<size_t>(advised) == bytes ? 0 : -EAGAIN;
  }

  int Unlink(int directory_fd, const std::string& name) override {
    const Timed timed(&calls_, Call::kUnlink);
    return ResultOf(unlinkat(directory_fd, name.c_str(), 0));
  }

  int Truncate(int fd) override {
    const Timed timed(&calls_, Call::kTruncate);
    return ResultOf(ftruncate(fd, 0));
  }

 private:
  LinuxSystemCalls& calls_;
};

LinuxSystemCalls& LinuxSystemCalls::Get() {
  static LinuxSystemCalls* const calls = new LinuxSystemCalls;
  return *calls;
}

LinuxSystemCalls::LinuxSystemCalls()
    : ending_(std::make_unique<LinuxEndingCalls>(this)) {}

LinuxSystemCalls::~LinuxSystemCalls() = default;

int LinuxSystemCalls::Open(int directory_fd, const std::string& name, int flags,
                           mode_t mode) {
  const Timed timed(this, Call::kOpen);
  return ResultOf(
      openat(directory_fd, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
}

int LinuxSystemCalls::Allocate(int fd, uint64_t bytes) {
  const Timed timed(this, Call::kFallocate);
  return ResultOf(fallocate(fd, 0, 0, static_cast<off_t>(bytes)));
}

int LinuxSystemCalls::Resize(int fd, uint64_t bytes) {
  Counted(Call::kTruncate);
  return ResultOf(ftruncate(fd, static_cast<off_t>(bytes)));
}

int LinuxSystemCalls::State(int fd, FileState* state) {
  Counted(Call::kFstat);
  struct stat file;
  const int result = ResultOf(fstat(fd, &file));
  if (result < 0) return result;
  state->size_bytes = static_cast<uint64_t>(file.st_size);
  // st_blocks counts 512 bytes each, whatever st_blksize says (inode(7)).
  state->allocated_bytes = static_cast<uint64_t>(file.st_blocks) * 512;
  state->links = file.st_nlink;
  state->owner = file.st_uid;
  state->mode = file.st_mode & 07777;
  state->device = file.st_dev;
  state->inode = file.st_ino;
  return 0;
}

int LinuxSystemCalls::SetFileLease(int fd, int type, uid_t owner) {
  Counted(Call::kFcntl);
  int result = ResultOf(fcntl(fd, F_SETLEASE, type));
  // Only where it must be: another uid, if only for a moment, takes the parent
  // death signal away from the thread (prctl(2)).
  if (result != -EACCES) return result;
  const uid_t self = geteuid();
  if (owner == self) return result;
  // Of this thread only. A process that may not take that uid keeps its own,
  // and the kernel's answer says so.
  setfsuid(owner);
  result = ResultOf(fcntl(fd, F_SETLEASE, type));
  setfsuid(self);
  return result;
}

int LinuxSystemCalls::FilesystemSpace(int fd, FilesystemBytes* bytes) {
  Counted(Call::kFstatfs);
  struct statvfs filesystem;
  const int result = ResultOf(fstatvfs(fd, &filesystem));
  if (result < 0) return result;
  bytes->total = uint64_t{filesystem.f_blocks} * filesystem.f_frsize;
  bytes->free = uint64_t{filesystem.f_bavail} * filesystem.f_frsize;
  bytes->total_files = filesystem.f_files;
  bytes->free_files = filesystem.f_favail;
  return 0;
}

int64_t LinuxSystemCalls::Map(void* address, size_t bytes, int protection,
                              int flags, int fd) {
  const Timed timed(this, Call::kMmap);
  void* const mapped = mmap(address, bytes, protection, flags, fd, 0);
  if (mapped == MAP_FAILED) return -errno;
  return static_cast<int64_t>(reinterpret_cast<intptr_t>(mapped));
}

int LinuxSystemCalls::Advise(void* address, size_t bytes, int advice) {
  const Timed timed(this, Call::kMadvise);
  return ResultOf(madvise(address, bytes, advice));
}

int LinuxSystemCalls::Close(int fd) {
  const Timed timed(this, Call::kClose);
  return ResultOf(close(fd));
}

int64_t LinuxSystemCalls::Read(int fd, void* data, size_t bytes,
                               uint64_t offset) {
  Counted(Call::kRead);
  const ssize_t result = pread(fd, data, bytes, static_cast<off_t>(offset));
  return result < 0 ? -errno : result;
}

int64_t LinuxSystemCalls::Write(int fd, const void* data, size_t bytes,
                                uint64_t offset) {
  Counted(Call::kWrite);
  const ssize_t result = pwrite(fd, data, bytes, static_cast<off_t>(offset));
  return result < 0 ? -errno : result;
}

int LinuxSystemCalls::Rename(int from_directory_fd, const std::string& from,
                             int to_directory_fd, const std::string& to,
                             unsigned flags) {
  const Timed timed(this, Call::kRename);
  return ResultOf(renameat2(from_directory_fd, from.c_str(), to_directory_fd,
                            to.c_str(), flags));
}

int LinuxSystemCalls::MakeDirectory(int directory_fd, const std::string& name,
                                    mode_t mode) {
  Counted(Call::kMkdir);
  return ResultOf(mkdirat(directory_fd, name.c_str(), mode));
}

int LinuxSystemCalls::ChangeOwner(int fd, uid_t owner) {
  Counted(Call::kChown);
  return ResultOf(fchown(fd, owner, static_cast<gid_t>(-1)));
}

int LinuxSystemCalls::ChangeMode(int fd, mode_t mode) {
  Counted(Call::kChmod);
  return ResultOf(fchmod(fd, mode));
}

int LinuxSystemCalls::SetAcl(int fd, const std::string& acl) {
  Counted(Call::kFsetxattr);
  return ResultOf(fsetxattr(fd, "system.posix_acl_access", acl.data(),
                            acl.size(), /*flags=*/0));
}

EndingCalls& LinuxSystemCalls::Ending() { return *ending_; }

const LatencyHistogram* LinuxSystemCalls::Latency(Call call) const {
  return IsTimed(call) ? &latencies_[static_cast<size_t>(call)] : nullptr;
}

uint64_t LinuxSystemCalls::Count(Call call) const {
  return counts_[static_cast<size_t>(call)].load(std::memory_order_relaxed);
}

}  // namespace warmpool
