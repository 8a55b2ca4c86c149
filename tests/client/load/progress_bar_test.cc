#include "client/load/progress_bar.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(ProgressBarTest, ALineTellsHowFarAndHowFast) {
  EXPECT_EQ(ProgressLine(0.5, 12'345, absl::Seconds(4)),
            "[###############...............]  50 %  12,345 leases  3,086/s  "
            "4s left");
  EXPECT_EQ(ProgressLine(0, 0, absl::ZeroDuration()),
            "[..............................]   0 %  0 leases");
  EXPECT_EQ(ProgressLine(1, 10, absl::Seconds(10)),
            "[##############################] 100 %  10 leases  1/s  0s left");
}

// Opens the terminal that a pseudo-terminal stands for, and its other side.
class ProgressBarTerminalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    user_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (user_ < 0 || grantpt(user_) < 0 || unlockpt(user_) < 0) {
      GTEST_SKIP() << "no pseudo-terminals here";
    }
    terminal_ = open(ptsname(user_), O_RDWR | O_NOCTTY);
    if (terminal_ < 0) GTEST_SKIP() << "no pseudo-terminals here";
  }
  ~ProgressBarTerminalTest() override {
    close(terminal_);
    close(user_);
  }

  std::string Seen() {
    char bytes[1000];
    const ssize_t count = read(user_, bytes, sizeof(bytes));
    return std::string(bytes, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }

  int user_ = -1;
  int terminal_ = -1;
};

TEST_F(ProgressBarTerminalTest, ShowsOneLineAndTakesItAway) {
  {
    ProgressBar bar(terminal_);
    bar.Show("half");
    EXPECT_EQ(Seen(), "\r\x1b[Khalf");
  }
  EXPECT_EQ(Seen(), "\r\x1b[K");
}

TEST(ProgressBarTest, PrintsNothingWhereThereIsNoTerminal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    ProgressBar bar(ends[1]);
    bar.Show("half");
  }
  close(ends[1]);
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
}

}  // namespace
}  // namespace warmpool
