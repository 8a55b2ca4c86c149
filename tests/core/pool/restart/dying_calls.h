// DyingCalls: the system calls of Linux up to the death of the process that
// makes them. From then on they do nothing and fail, which is what kill -9
// looks like from outside: descriptors are closed, nothing else happens.
#ifndef WARMPOOL_TESTS_CORE_POOL_RESTART_DYING_CALLS_H_
#define WARMPOOL_TESTS_CORE_POOL_RESTART_DYING_CALLS_H_

#include <errno.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/memory/kernel/ending_calls.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

// Not thread-safe.
class DyingCalls final : public SystemCalls {
 public:
  // Of one read or write no more than `io_bytes` are done, as the kernel may:
  // so that death comes in the midst of what was one write.
  // `on_death` is called once, and may end the process.
  DyingCalls(uint64_t calls_to_live, size_t io_bytes,
             std::function<void()> on_death = {})
      : calls_to_live_(calls_to_live),
        io_bytes_(io_bytes),
        on_death_(std::move(on_death)) {}

  // Whether a call came too late.
  bool dead() const { return dead_; }
  // The process is killed.
  void Die() { calls_to_live_ = 0; }

  int Open(int directory_fd, const std::string& name, int flags,
           mode_t mode) override {
    return Dies() ? -EIO : linux_.Open(directory_fd, name, flags, mode);
  }
  int Allocate(int fd, uint64_t bytes) override {
    return Dies() ? -EIO : linux_.Allocate(fd, bytes);
  }
  int Resize(int fd, uint64_t bytes) override {
    return Dies() ? -EIO : linux_.Resize(fd, bytes);
  }
  int State(int fd, FileState* state) override {
    return Dies() ? -EIO : linux_.State(fd, state);
  }
  int SetFileLease(int fd, int type, uid_t owner) override {
    return Dies() ? -EIO : linux_.SetFileLease(fd, type, owner);
  }
  int FilesystemSpace(int fd, FilesystemBytes* bytes) override {
    return Dies() ? -EIO : linux_.FilesystemSpace(fd, bytes);
  }
  int64_t Map(void* address, size_t bytes, int protection, int flags,
              int fd) override {
    return Dies() ? -EIO : linux_.Map(address, bytes, protection, flags, fd);
  }
  int Advise(void* address, size_t bytes, int advice) override {
    return Dies() ? -EIO : linux_.Advise(address, bytes, advice);
  }
  int Close(int fd) override { return linux_.Close(fd); }
  int64_t Read(int fd, void* data, size_t bytes, uint64_t offset) override {
    if (Dies()) return -EIO;
    return linux_.Read(fd, data, std::min(bytes, io_bytes_), offset);
  }
  int64_t Write(int fd, const void* data, size_t bytes,
                uint64_t offset) override {
    if (Dies()) return -EIO;
    return linux_.Write(fd, data, std::min(bytes, io_bytes_), offset);
  }
  int Rename(int from_directory_fd, const std::string& from,
             int to_directory_fd, const std::string& to,
             unsigned flags) override {
    if (Dies()) return -EIO;
    return linux_.Rename(from_directory_fd, from, to_directory_fd, to, flags);
  }
  int MakeDirectory(int directory_fd, const std::string& name,
                    mode_t mode) override {
    return Dies() ? -EIO : linux_.MakeDirectory(directory_fd, name, mode);
  }
  int ChangeOwner(int fd, uid_t owner) override {
    return Dies() ? -EIO : linux_.ChangeOwner(fd, owner);
  }
  int SetAcl(int fd, const std::string& acl) override {
    return Dies() ? -EIO : linux_.SetAcl(fd, acl);
  }
  int ChangeMode(int fd, mode_t mode) override {
    return Dies() ? -EIO : linux_.ChangeMode(fd, mode);
  }
  EndingCalls& Ending() override { return ending_; }
  uint64_t Count(Call call) const override { return linux_.Count(call); }
  const LatencyHistogram* Latency(Call call) const override {
    return linux_.Latency(call);
  }

 private:
  class DyingEndingCalls final : public EndingCalls {
   public:
    explicit DyingEndingCalls(DyingCalls* calls) : calls_(*calls) {}

    // The kernel ends mappings, as it closes descriptors.
    int Unmap(void* address, size_t bytes) override {
      return calls_.linux_.Ending().Unmap(address, bytes);
    }
    int FreePages(const std::vector<iovec>& ranges) override {
      return calls_.Dies() ? -EIO : calls_.linux_.Ending().FreePages(ranges);
    }
    int Unlink(int directory_fd, const std::string& name) override {
      return calls_.Dies() ? -EIO
                           : calls_.linux_.Ending().Unlink(directory_fd, name);
    }
    int Truncate(int fd) override {
      return calls_.Dies() ? -EIO : calls_.linux_.Ending().Truncate(fd);
    }

   private:
    DyingCalls& calls_;
  };

  bool Dies() {
    if (calls_to_live_ == 0 && !std::exchange(dead_, true) && on_death_) {
      on_death_();
    }
    if (!dead_) --calls_to_live_;
    return dead_;
  }

  LinuxSystemCalls linux_;
  DyingEndingCalls ending_{this};
  uint64_t calls_to_live_;
  const size_t io_bytes_;
  const std::function<void()> on_death_;
  bool dead_ = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_RESTART_DYING_CALLS_H_
