#include "tests/core/pool/model/client_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "gmock/gmock-matchers.h"

namespace warmpool {
namespace {

struct stat StateOf(const std::string& path) {
  struct stat state {};
  EXPECT_EQ(stat(path.c_str(), &state), 0) << path;
  return state;
}

struct stat StateOf(int fd) {
  struct stat state {};
  EXPECT_EQ(fstat(fd, &state), 0);
  return state;
}

bool IsForWriting(int fd) { return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR; }

}  // namespace

std::string FileNameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

void WriteMark(const std::string& path, uint64_t mark) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0) << path;
  EXPECT_EQ(pwrite(fd, &mark, sizeof(mark), 0), ssize_t{sizeof(mark)});
  close(fd);
}

void ExpectMark(const std::string& path, uint64_t mark) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0) << path;
  uint64_t read = 0;
  EXPECT_EQ(pread(fd, &read, sizeof(read), 0), ssize_t{sizeof(read)});
  EXPECT_EQ(read, mark) << "somebody else wrote into a leased buffer";
  close(fd);
}

void ExpectAllZero(const std::string& path, uint64_t bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::string content(bytes, 'x');
  EXPECT_EQ(pread(fd, content.data(), bytes, 0), ssize_t(bytes));
  EXPECT_EQ(content.find_first_not_of('\0'), std::string::npos);
  close(fd);
}

void ExpectWhole(const std::string& path, uint64_t bytes) {
  const struct stat state = StateOf(path);
  EXPECT_EQ(state.st_size, off_t(bytes));
  EXPECT_GE(state.st_blocks * 512, off_t(bytes));
}

bool HasWritableMode(const std::string& path) {
  return (StateOf(path).st_mode & 0222) != 0;
}

void TruncateFile(const std::string& path, uint64_t bytes) {
  // A file's owner may give itself the permission back.
  if (!HasWritableMode(path)) {
    EXPECT_EQ(chmod(path.c_str(), 0600), 0);
  }
  EXPECT_EQ(truncate(path.c_str(), off_t(bytes)), 0);
}

ClientFiles::~ClientFiles() {
  for (const int fd : descriptors_) close(fd);
}

int ClientFiles::Open(const std::string& path, bool for_writing) {
  const int access = for_writing ? O_RDWR : O_RDONLY;
  const int fd = open(path.c_str(), access | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno;
  descriptors_.push_back(fd);
  return 0;
}

void ClientFiles::Close(size_t index) {
  close(descriptors_[index]);
  descriptors_.erase(descriptors_.begin() + index);
}

bool ClientFiles::HasOpen(const std::string& path) const {
  const ino_t inode = StateOf(path).st_ino;
  return std::any_of(descriptors_.begin(), descriptors_.end(),
                     [&](int fd) { return StateOf(fd).st_ino == inode; });
}

bool ClientFiles::HasOpenForWriting(const std::string& path) const {
  const ino_t inode = StateOf(path).st_ino;
  return std::any_of(descriptors_.begin(), descriptors_.end(), [&](int fd) {
    return IsForWriting(fd) && StateOf(fd).st_ino == inode;
  });
}

}  // namespace warmpool
