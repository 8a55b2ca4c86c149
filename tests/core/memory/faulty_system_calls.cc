#include "tests/core/memory/faulty_system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include <ostream>

#include "core/base/check.h"

namespace warmpool {

void PrintTo(const FaultySystemCalls::Live& live, std::ostream* out) {
  *out << live.mappings << " mappings, " << live.descriptors << " descriptors, "
       << live.files << " files";
}

class FaultySystemCalls::FaultyEndingCalls final : public EndingCalls {
 public:
  explicit FaultyEndingCalls(FaultySystemCalls* calls) : calls_(*calls) {}

  int Unmap(void* address, size_t bytes) override {
    const int fault = calls_.Begin(Call::kMunmap);
    if (fault < 0) return fault;
    {
      // Before the call: the kernel may give the range out again right after.
      MutexLock lock(&calls_.mutex_);
      // One mapping, or a run of neighbours, each of them whole.
      size_t found = 0;
      while (found < bytes) {
        const auto it =
            calls_.mappings_.find(static_cast<std::byte*>(address) + found);
        WARMPOOL_CHECK(it != calls_.mappings_.end(),
                       "munmap of a range that was not mapped as such");
        found += it->second;
        calls_.mappings_.erase(it);
      }
      WARMPOOL_CHECK(found == bytes, "munmap of a part of a mapping");
    }
    const int result = calls_.linux_.Ending().Unmap(address, bytes);
    WARMPOOL_CHECK(result == 0, "munmap failed by itself");
    return result;
  }

  int FreePages(const std::vector<iovec>& ranges) override {
    const int fault = calls_.Begin(Call::kProcessMadvise);
    return fault < 0 ? fault : calls_.linux_.Ending().FreePages(ranges);
  }

  int Unlink(int directory_fd, const std::string& name) override {
    const int fault = calls_.Begin(Call::kUnlink);
    if (fault < 0) return fault;
    {
      MutexLock lock(&calls_.mutex_);
      calls_.files_.erase({directory_fd, name});
    }
    return calls_.linux_.Ending().Unlink(directory_fd, name);
  }

  int Truncate(int fd) override {
    const int fault = calls_.Begin(Call::kTruncate);
    return fault < 0 ? fault : calls_.linux_.Ending().Truncate(fd);
  }

 private:
  FaultySystemCalls& calls_;
};

FaultySystemCalls::FaultySystemCalls()
    : ending_(std::make_unique<FaultyEndingCalls>(this)) {}

FaultySystemCalls::~FaultySystemCalls() = default;

void FaultySystemCalls::FailNth(Call call, uint64_t n, int error,
                                uint64_t times) {
  MutexLock lock(&mutex_);
  kinds_[static_cast<size_t>(call)].faults.push_back({n - 1, times, error});
}

void FaultySystemCalls::StopFailing() {
  MutexLock lock(&mutex_);
  for (Kind& kind : kinds_) kind.faults.clear();
}

uint64_t FaultySystemCalls::faults() const {
  MutexLock lock(&mutex_);
  uint64_t faults = 0;
  for (const Kind& kind : kinds_) faults += kind.failed;
  return faults;
}

uint64_t FaultySystemCalls::faults(Call call) const {
  MutexLock lock(&mutex_);
  return kinds_[static_cast<size_t>(call)].failed;
}

void FaultySystemCalls::BeforeNext(Call call, std::function<void()> action) {
  MutexLock lock(&mutex_);
  kinds_[static_cast<size_t>(call)].actions.push_back(std::move(action));
}

FaultySystemCalls::Live FaultySystemCalls::live() const {
  MutexLock lock(&mutex_);
  return {mappings_.size(), descriptors_.size(), files_.size()};
}

std::set<std::string> FaultySystemCalls::files() const {
  MutexLock lock(&mutex_);
  std::set<std::string> names;
  for (const auto& [directory_fd, name] : files_) names.insert(name);
  return names;
}

int FaultySystemCalls::Begin(Call call) {
  std::function<void()> action;
  {
    MutexLock lock(&mutex_);
    Kind& kind = kinds_[static_cast<size_t>(call)];
    if (!kind.actions.empty()) {
      action = std::move(kind.actions.front());
      kind.actions.pop_front();
    }
  }
  if (action) action();
  MutexLock lock(&mutex_);
  Kind& kind = kinds_[static_cast<size_t>(call)];
  if (kind.faults.empty()) return 0;
  Fault& fault = kind.faults.front();
  if (fault.calls_before > 0) {
    --fault.calls_before;
    return 0;
  }
  const int error = fault.error;
  if (--fault.times == 0) kind.faults.pop_front();
  ++kind.failed;
  return -error;
}

int FaultySystemCalls::Open(int directory_fd, const std::string& name,
                            int flags, mode_t mode) {
  const int fault = Begin(Call::kOpen);
  if (fault < 0) return fault;
  const int fd = linux_.Open(directory_fd, name, flags, mode);
  if (fd < 0) return fd;
  MutexLock lock(&mutex_);
  descriptors_.insert(fd);
  if ((flags & O_CREAT) != 0) files_.insert({directory_fd, name});
  return fd;
}

int FaultySystemCalls::Allocate(int fd, uint64_t bytes) {
  const int fault = Begin(Call::kFallocate);
  return fault < 0 ? fault : linux_.Allocate(fd, bytes);
}

int FaultySystemCalls::Resize(int fd, uint64_t bytes) {
  const int fault = Begin(Call::kTruncate);
  return fault < 0 ? fault : linux_.Resize(fd, bytes);
}

int FaultySystemCalls::State(int fd, FileState* state) {
  const int fault = Begin(Call::kFstat);
  return fault < 0 ? fault : linux_.State(fd, state);
}

int FaultySystemCalls::SetFileLease(int fd, int type, uid_t owner) {
  const int fault = Begin(Call::kFcntl);
  if (fault < 0 && (type != F_UNLCK || fault == -EINTR)) return fault;
  return linux_.SetFileLease(fd, type, owner);
}

int FaultySystemCalls::FilesystemSpace(int fd, FilesystemBytes* bytes) {
  const int fault = Begin(Call::kFstatfs);
  return fault < 0 ? fault : linux_.FilesystemSpace(fd, bytes);
}

int64_t FaultySystemCalls::Map(void* address, size_t bytes, int protection,
                               int flags, int fd) {
  const int fault = Begin(Call::kMmap);
  if (fault < 0) return fault;
  const int64_t mapped = linux_.Map(address, bytes, protection, flags, fd);
  // A fixed mapping lies within a reservation, which is ended as a whole.
  if (mapped < 0 || (flags & MAP_FIXED) != 0) return mapped;
  MutexLock lock(&mutex_);
  mappings_.emplace(reinterpret_cast<void*>(mapped), bytes);
  return mapped;
}

int FaultySystemCalls::Advise(void* address, size_t bytes, int advice) {
  const int fault = Begin(Call::kMadvise);
  return fault < 0 ? fault : linux_.Advise(address, bytes, advice);
}

int FaultySystemCalls::Close(int fd) {
  const int fault = Begin(Call::kClose);
  {
    MutexLock lock(&mutex_);
    WARMPOOL_CHECK(descriptors_.erase(fd) == 1,
                   "close of a descriptor that was not open");
  }
  const int result = linux_.Close(fd);
  return fault < 0 ? fault : result;
}

int64_t FaultySystemCalls::Read(int fd, void* data, size_t bytes,
                                uint64_t offset) {
  const int fault = Begin(Call::kRead);
  return fault < 0 ? fault : linux_.Read(fd, data, bytes, offset);
}

int64_t FaultySystemCalls::Write(int fd, const void* data, size_t bytes,
                                 uint64_t offset) {
  const int fault = Begin(Call::kWrite);
  return fault < 0 ? fault : linux_.Write(fd, data, bytes, offset);
}

int FaultySystemCalls::Rename(int from_directory_fd, const std::string& from,
                              int to_directory_fd, const std::string& to,
                              unsigned flags) {
  const int fault = Begin(Call::kRename);
  if (fault < 0) return fault;
  const int result =
      linux_.Rename(from_directory_fd, from, to_directory_fd, to, flags);
  if (result < 0 || (flags & RENAME_EXCHANGE) != 0) return result;
  MutexLock lock(&mutex_);
  if (files_.erase({from_directory_fd, from}) > 0) {
    files_.insert({to_directory_fd, to});
  }
  return result;
}

int FaultySystemCalls::MakeDirectory(int directory_fd, const std::string& name,
                                     mode_t mode) {
  const int fault = Begin(Call::kMkdir);
  return fault < 0 ? fault : linux_.MakeDirectory(directory_fd, name, mode);
}

int FaultySystemCalls::ChangeOwner(int fd, uid_t owner) {
  const int fault = Begin(Call::kChown);
  return fault < 0 ? fault : linux_.ChangeOwner(fd, owner);
}

int FaultySystemCalls::SetAcl(int fd, const std::string& acl) {
  const int fault = Begin(Call::kFsetxattr);
  return fault < 0 ? fault : linux_.SetAcl(fd, acl);
}

int FaultySystemCalls::ChangeMode(int fd, mode_t mode) {
  const int fault = Begin(Call::kChmod);
  return fault < 0 ? fault : linux_.ChangeMode(fd, mode);
}

EndingCalls& FaultySystemCalls::Ending() { return *ending_; }

uint64_t FaultySystemCalls::Count(Call call) const {
  // A failing close is made all the same.
  const uint64_t made = linux_.Count(call);
  if (call == Call::kClose) return made;
  MutexLock lock(&mutex_);
  return made + kinds_[static_cast<size_t>(call)].failed;
}

}  // namespace warmpool
