// What the counts of the metrics rest on, and the double that tests rest on.
#include "core/memory/kernel/system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

TEST(LinuxSystemCallsTest, EveryCallHasANameOfItsOwn) {
  std::set<std::string> names;
  for (size_t i = 0; i < SystemCalls::kCallCount; ++i) {
    const std::string name = SystemCalls::Name(static_cast<Call>(i));
    EXPECT_NE(name, "?");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(LinuxSystemCallsTest, CountsEachCallAsItself) {
  ScratchDirectory scratch;
  LinuxSystemCalls calls;
  const int fd =
      calls.Open(AT_FDCWD, scratch.Join("f"), O_RDWR | O_CREAT, 0600);
  ASSERT_GE(fd, 0);
  calls.Allocate(fd, 4096);
  FileState state;
  EXPECT_EQ(calls.State(fd, &state), 0);
  EXPECT_EQ(state.size_bytes, 4096u);
  EXPECT_EQ(state.allocated_bytes, 4096u);
  EXPECT_EQ(state.links, 1u);
  EXPECT_EQ(state.owner, geteuid());
  EXPECT_EQ(state.mode, 0600u);
  calls.Close(fd);
  EXPECT_EQ(calls.Count(Call::kOpen), 1u);
  EXPECT_EQ(calls.Count(Call::kFallocate), 1u);
  EXPECT_EQ(calls.Count(Call::kFstat), 1u);
  EXPECT_EQ(calls.Count(Call::kClose), 1u);
  EXPECT_EQ(calls.Count(Call::kMunmap), 0u);
}

TEST(LinuxSystemCallsTest, GivesTheKernelsErrorAsANegativeNumber) {
  LinuxSystemCalls calls;
  EXPECT_EQ(calls.Open(AT_FDCWD, "/dev/shm/no/such/file", O_RDONLY, 0),
            -ENOENT);
  EXPECT_EQ(calls.Close(-1), -EBADF);
  EXPECT_EQ(calls.Map(nullptr, 4096, PROT_READ, MAP_SHARED, -1), -EBADF);
  FileState state;
  EXPECT_EQ(calls.State(-1, &state), -EBADF);
  FilesystemBytes bytes;
  EXPECT_EQ(calls.FilesystemSpace(-1, &bytes), -EBADF);
}

TEST(LinuxSystemCallsTest, OpenedFilesDoNotReachOtherPrograms) {
  ScratchDirectory scratch;
  LinuxSystemCalls calls;
  const int fd =
      calls.Open(AT_FDCWD, scratch.Join("f"), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  calls.Close(fd);
}

TEST(FaultySystemCallsTest, FailsTheNthCallAndThoseAfterItAsOftenAsAsked) {
  ScratchDirectory scratch;
  FaultySystemCalls calls;
  calls.FailNth(Call::kFstat, 2, EIO, 2);
  FileState state;
  const int fd =
      calls.Open(AT_FDCWD, scratch.Join("f"), O_RDWR | O_CREAT, 0600);
  std::vector<int> results;
  for (int i = 0; i < 4; ++i) results.push_back(calls.State(fd, &state));
  EXPECT_EQ(results, (std::vector<int>{0, -EIO, -EIO, 0}));
  EXPECT_EQ(calls.faults(), 2u);
  EXPECT_EQ(calls.Count(Call::kFstat), 4u);
  calls.Close(fd);
}

TEST(FaultySystemCallsTest, KnowsWhatIsLeft) {
  ScratchDirectory scratch;
  FaultySystemCalls calls;
  const std::string path = scratch.Join("f");
  const int fd = calls.Open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(calls.live(),
            (FaultySystemCalls::Live{.descriptors = 1, .files = 1}));
  calls.FailNext(Call::kUnlink, EIO);
  EXPECT_EQ(calls.Ending().Unlink(AT_FDCWD, path), -EIO);
  EXPECT_EQ(calls.live().files, 1u);
  EXPECT_EQ(calls.Ending().Unlink(AT_FDCWD, path), 0);
  calls.FailNext(Call::kClose, EIO);
  EXPECT_EQ(calls.Close(fd), -EIO);
  EXPECT_EQ(calls.live(), FaultySystemCalls::Live());
  EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "a failing close closes";
}

}  // namespace
}  // namespace warmpool
