// ScratchDirectory: a directory of a test's own on the machine's tmpfs.
#ifndef WARMPOOL_TESTS_CORE_MEMORY_SCRATCH_DIRECTORY_H_
#define WARMPOOL_TESTS_CORE_MEMORY_SCRATCH_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace warmpool {

// Makes /dev/shm/warmpool-test.PID.TEST.RANDOM and removes it with all that is
// in it. A test that dies can't: each of these removes what dead ones left,
// which it tells by the lock that the living have on theirs (pids don't tell:
// every Bazel sandbox numbers its own).
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string Join(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  int lock_fd_ = -1;
};

// Names below the directory at `path` that end in ".seg", and the bytes that
// all files below it have allocated (st_blocks), but for a daemon's lock.
size_t CountSegmentFiles(const std::string& path);
uint64_t AllocatedBytes(const std::string& path);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_MEMORY_SCRATCH_DIRECTORY_H_
