// A daemon whose process can't be seen is known by its lock. How one is awaited
// that can be seen, cli_test tells.
#include "client/cli/daemon_end.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/time/time.h"
#include "core/memory/directory/directory_lock.h"
#include "gtest/gtest.h"
#include "tests/core/memory/other_process.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {
namespace {

TEST(DaemonEndTest, WhoseProcessIsNotSeenIsGoneWithItsLock) {
  const ScratchDirectory scratch;
  const auto lock = [&scratch] {
    const int fd = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY);
    return LockDirectory(fd, scratch.path(), "serving unix:/x").ok();
  };
  OtherProcess daemon(lock);
  ASSERT_TRUE(daemon.succeeded());
  DaemonEnd end(scratch.Join("socket"), scratch.path(), /*pid=*/1);
  EXPECT_FALSE(end.Await(absl::Milliseconds(30)));
  daemon.Kill();
  EXPECT_TRUE(end.Await(absl::Seconds(10)));
}

TEST(DaemonEndTest, WhoTakesItsPlaceIsNotTakenForIt) {
  const ScratchDirectory scratch;
  const auto lock = [&scratch] {
    const int fd = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY);
    return LockDirectory(fd, scratch.path(), "serving unix:/x").ok();
  };
  OtherProcess daemon(lock);
  DaemonEnd end(scratch.Join("socket"), scratch.path(), /*pid=*/1);
  daemon.Kill();
  const OtherProcess next(lock);
  ASSERT_TRUE(next.succeeded());
  EXPECT_TRUE(end.Await(absl::Seconds(10)));
}

TEST(DaemonEndTest, WhereNothingIsNothingIsAwaited) {
  DaemonEnd end("/nonexistent/socket", "/nonexistent/shm", /*pid=*/1);
  EXPECT_TRUE(end.Await(absl::Seconds(10)));
}

}  // namespace
}  // namespace warmpool
