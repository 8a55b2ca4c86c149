// What the README shows does what it says.
#include "gtest/gtest.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

TEST(ReadmeTest, TheExampleRunsAgainstADaemon) {
  DaemonProcess daemon;
  ChildProcess example({"tests/readme/example", daemon.target()});
  EXPECT_EQ(example.ReadLine(), "2097152 bytes, the last is 42");
  EXPECT_EQ(example.Wait(), 0);
  // Released, and warm for the next.
  EXPECT_EQ(daemon.SegmentFiles().size(), 1u);
}

TEST(ReadmeTest, TheExampleSaysWhatIsMissing) {
  ChildProcess example({"tests/readme/example", "tcp:1"});
  EXPECT_NE(example.ReadLine().find("tcp:1"), std::string::npos);
  EXPECT_EQ(example.Wait(), 1);
}

}  // namespace
}  // namespace warmpool::testing
