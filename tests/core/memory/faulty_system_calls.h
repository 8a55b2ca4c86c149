// FaultySystemCalls: the system calls of Linux, except where a test told them
// to fail. It also keeps account of what was made through it and not ended, so
// that a test can tell that nothing leaked.
#ifndef WARMPOOL_TESTS_CORE_MEMORY_FAULTY_SYSTEM_CALLS_H_
#define WARMPOOL_TESTS_CORE_MEMORY_FAULTY_SYSTEM_CALLS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "core/memory/kernel/ending_calls.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

// Thread-safe.
class FaultySystemCalls final : public SystemCalls {
 public:
  // What was made and not yet ended.
  struct Live {
    size_t mappings = 0;
    size_t descriptors = 0;
    size_t files = 0;

    friend bool operator==(const Live&, const Live&) = default;
    friend void PrintTo(const Live& live, std::ostream* out);
  };

  FaultySystemCalls();
  ~FaultySystemCalls() override;

  // The nth call of the kind from here on (1 is the next), and the `times` - 1
  // after it, do nothing but return -error. Two exceptions, since the kernel
  // has them: a failing close still closes, and giving up a file lease fails
  // with EINTR or not at all.
  void FailNth(Call call, uint64_t n, int error, uint64_t times = 1);
  void FailNext(Call call, int error, uint64_t times = 1) {
    FailNth(call, 1, error, times);
  }
  // Forgets the faults that are still to come.
  void StopFailing();
  // Faults that happened since construction, of all kinds or one.
  uint64_t faults() const;
  uint64_t faults(Call call) const;

  // Runs `action` once, just before the next call of the kind, on the thread
  // that makes it: whatever may happen in the midst of an operation.
  void BeforeNext(Call call, std::function<void()> action);

  Live live() const;
  // The names of files made and not unlinked.
  std::set<std::string> files() const;

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
  // Failed ones included.
  uint64_t Count(Call call) const override;
  const LatencyHistogram* Latency(Call call) const override {
    return linux_.Latency(call);
  }

 private:
  class FaultyEndingCalls;

  // Faults of one kind of call to come.
  struct Fault {
    uint64_t calls_before = 0;
    uint64_t times = 0;
    int error = 0;
  };
  struct Kind {
    std::deque<Fault> faults;
    std::deque<std::function<void()>> actions;
    uint64_t failed = 0;
  };

  // What every call begins with: -errno if it is to fail, else 0.
  int Begin(Call call);

  LinuxSystemCalls linux_;
  const std::unique_ptr<FaultyEndingCalls> ending_;

  mutable Mutex mutex_;
  std::array<Kind, kCallCount> kinds_ ABSL_GUARDED_BY(mutex_);
  std::map<void*, size_t> mappings_ ABSL_GUARDED_BY(mutex_);
  std::set<int> descriptors_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<int, std::string>> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_MEMORY_FAULTY_SYSTEM_CALLS_H_
