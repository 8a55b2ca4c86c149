#include "tests/core/memory/scratch_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/base/check.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

namespace fs = std::filesystem;

constexpr char kParent[] = "/dev/shm";
constexpr char kPrefix[] = "warmpool-test.";

// The directory at `path`, open and locked; -1 if somebody has it.
int Lock(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  // Once locked it may already have been removed by whoever had the lock.
  struct stat directory;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &directory) == 0 &&
      directory.st_nlink > 0) {
    return fd;
  }
  close(fd);
  return -1;
}

void RemoveWhatTheDeadLeft() {
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(kParent, error)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    const int fd = Lock(entry.path());
    if (fd < 0) continue;
    fs::remove_all(entry.path(), error);
    close(fd);
  }
}

std::string NameOfTest() {
  const testing::TestInfo* const test =
      testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) return "none";
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  // Parameterised tests have slashes in their names.
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  RemoveWhatTheDeadLeft();
  // Another test may take the new directory for a dead one's before it is
  // locked; then it is made anew.
  while (lock_fd_ < 0) {
    path_ = std::string(kParent) + "/" + kPrefix + std::to_string(getpid()) +
            "." + NameOfTest() + ".XXXXXX";
    WARMPOOL_CHECK(mkdtemp(path_.data()) != nullptr,
                   "no scratch directory in /dev/shm");
    lock_fd_ = Lock(path_);
  }
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code error;
  fs::remove_all(path_, error);
  close(lock_fd_);
}

size_t CountSegmentFiles(const std::string& path) {
  size_t count = 0;
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(path, error)) {
    if (entry.path().extension() == ".seg") ++count;
  }
  return count;
}

uint64_t AllocatedBytes(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(path, error)) {
    struct stat file;
    if (lstat(entry.path().c_str(), &file) < 0 || !S_ISREG(file.st_mode) ||
        entry.path().filename() == "daemon.lock") {
      continue;
    }
    bytes += static_cast<uint64_t>(file.st_blocks) * 512;
  }
  return bytes;
}

}  // namespace warmpool
