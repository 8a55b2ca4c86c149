// SystemCalls: the memory system calls that make and inspect segments, one
// method a call, and nothing else. Tests replace it to inject faults.
//
// The calls that end memory (munmap, unlink) are not here: they are
// EndingCalls, which only core/engine can see (only Batch may munmap).
//
// Every method returns what the kernel returned: 0 or more, or -errno.
// Nothing is retried here, EINTR included: that is the callers' part, so that
// tests reach it. Implementations are thread-safe.
#ifndef WARMPOOL_CORE_MEMORY_KERNEL_SYSTEM_CALLS_H_
#define WARMPOOL_CORE_MEMORY_KERNEL_SYSTEM_CALLS_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/latency_histogram.h"

namespace warmpool {

class EndingCalls;

// What fstat(2) tells of a file that matters here.
struct FileState {
  uint64_t size_bytes = 0;
  uint64_t allocated_bytes = 0;
  uint64_t links = 0;
  uid_t owner = 0;
  // Its permission bits.
  mode_t mode = 0;
  // Which file it is, for as long as it exists.
  uint64_t device = 0;
  uint64_t inode = 0;
};

struct FilesystemBytes {
  // 0 where the filesystem has no bound of its own.
  uint64_t total = 0;
  // What an unprivileged process may still allocate.
  uint64_t free = 0;
  // Inodes, which files and directories take; 0 where there is no bound.
  uint64_t total_files = 0;
  uint64_t free_files = 0;
};

class SystemCalls {
 public:
  // The calls that are counted, those of EndingCalls included.
  enum class Call {
    kOpen,
    kFallocate,
    kFstat,
    kFcntl,
    kFstatfs,
    kMmap,
    kMadvise,
    kProcessMadvise,
    kMunmap,
    kUnlink,
    kClose,
    kRead,
    kWrite,
    kRename,
    kMkdir,
    kChown,
    kChmod,
    kTruncate,
    kFsetxattr,
  };
  static constexpr size_t kCallCount = 19;

  virtual ~SystemCalls() = default;

  // openat(2) with O_CLOEXEC | O_NOFOLLOW added.
  virtual int Open(int directory_fd, const std::string& name, int flags,
                   mode_t mode) = 0;
  // fallocate(2), mode 0: extends the file, every page of it backed.
  virtual int Allocate(int fd, uint64_t bytes) = 0;
  // ftruncate(2), to no less than the file has: gives it the length, without
  // pages, and takes away pages beyond. Every proof makes it, so its time is
  // not taken.
  virtual int Resize(int fd, uint64_t bytes) = 0;
  virtual int State(int fd, FileState* state) = 0;
  // fcntl(2) F_SETLEASE: `type` is F_WRLCK, F_RDLCK or F_UNLCK. The kernel
  // lets a file's owner alone take a lease on it, or a process with CAP_LEASE:
  // where this one is neither, the call is made as the uid `owner`
  // (setfsuid(2), with CAP_SETUID).
  virtual int SetFileLease(int fd, int type, uid_t owner) = 0;
  // fstatvfs(3).
  virtual int FilesystemSpace(int fd, FilesystemBytes* bytes) = 0;
  // mmap(2): the address, or -errno (no address is in the top page).
  virtual int64_t Map(void* address, size_t bytes, int protection, int flags,
                      int fd) = 0;
  virtual int Advise(void* address, size_t bytes, int advice) = 0;
  // The descriptor is gone whatever this returns (close(2)): never repeat it.
  virtual int Close(int fd) = 0;

  // pread(2) and pwrite(2): bytes read or written.
  virtual int64_t Read(int fd, void* data, size_t bytes, uint64_t offset) = 0;
  virtual int64_t Write(int fd, const void* data, size_t bytes,
                        uint64_t offset) = 0;
  // renameat2(2); `flags` is 0, RENAME_NOREPLACE or RENAME_EXCHANGE.
  virtual int Rename(int from_directory_fd, const std::string& from,
                     int to_directory_fd, const std::string& to,
                     unsigned flags) = 0;
  // mkdirat(2).
  virtual int MakeDirectory(int directory_fd, const std::string& name,
                            mode_t mode) = 0;
  // fchown(2), the group as it is; fchmod(2).
  virtual int ChangeOwner(int fd, uid_t owner) = 0;
  virtual int ChangeMode(int fd, mode_t mode) = 0;
  // fsetxattr(2) of system.posix_acl_access, which gives the file its mode,
  // too.
  virtual int SetAcl(int fd, const std::string& acl) = 0;

  // The counterpart that ends what these calls make.
  virtual EndingCalls& Ending() = 0;

  // Times that a call was made since construction.
  virtual uint64_t Count(Call call) const = 0;
  // How long they took, for those that make or end memory; null for those that
  // are quick, and may be made for every lease.
  virtual const LatencyHistogram* Latency(Call call) const = 0;

  // As the kernel names it: "munmap".
  static const char* Name(Call call);
};

// The system calls of the Linux that this process runs on.
class LinuxSystemCalls final : public SystemCalls {
 public:
  // Counts for the whole process; never destroyed.
  static LinuxSystemCalls& Get();

  // With counts of its own.
  LinuxSystemCalls();
  ~LinuxSystemCalls() override;

  int Open(int directory_fd, const std::string& name, int flags,
           mode_t mode) override;
  int Allocate(int fd, uint64_t bytes) override;
  int Resize(int fd, uint64_t bytes) override;
  int State(int fd, FileState* state) override;
  int SetFileLease(int fd, int type, uid_t owner) override;
  int FilesystemSpace(int fd, FilesystemBytes* bytes) override;
  int64_t Map(void* address, size_t bytes, int protection, int flags,
              int fd) override;
  int Advise(void* address, size_t bytes, int advice) override;
  int Close(int fd) override;
  int64_t Read(int fd, void* data, size_t bytes, uint64_t offset) override;
  int64_t Write(int fd, const void* data, size_t bytes,
                uint64_t offset) override;
  int Rename(int from_directory_fd, const std::string& from,
             int to_directory_fd, const std::string& to,
             unsigned flags) override;
  int MakeDirectory(int directory_fd, const std::string& name,
                    mode_t mode) override;
  int ChangeOwner(int fd, uid_t owner) override;
  int ChangeMode(int fd, mode_t mode) override;
  int SetAcl(int fd, const std::string& acl) override;
  EndingCalls& Ending() override;
  uint64_t Count(Call call) const override;
  const LatencyHistogram* Latency(Call call) const override;

 private:
  class LinuxEndingCalls;
  // A call that is counted and timed, from its construction to its end.
  class Timed;

  void Counted(Call call) {
    counts_[static_cast<size_t>(call)].fetch_add(1, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, kCallCount> counts_{};
  std::array<LatencyHistogram, kCallCount> latencies_;
  const std::unique_ptr<LinuxEndingCalls> ending_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_KERNEL_SYSTEM_CALLS_H_
