#include "server/log/log_limit.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

using ::testing::Optional;

TEST(LogLimitTest, AFewLinesASecondPassAndTheNextTellsOfTheRest) {
  FakeClock clock;
  LogLimit limit(&clock);
  for (int i = 0; i < LogLimit::kLinesPerSecond; ++i) {
    EXPECT_THAT(limit.Pass("refused"), Optional(std::string()));
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(limit.Pass("refused"), std::nullopt);
  }
  clock.Advance(absl::Milliseconds(999));
  EXPECT_EQ(limit.Pass("refused"), std::nullopt);
  clock.Advance(absl::Milliseconds(1));
  EXPECT_THAT(limit.Pass("refused"),
              Optional(std::string(" (1001 more suppressed)")));
  EXPECT_THAT(limit.Pass("refused"), Optional(std::string()));
}

TEST(LogLimitTest, OneCauseLeavesAnotherAlone) {
  FakeClock clock;
  LogLimit limit(&clock);
  while (limit.Pass("cut").has_value()) {
  }
  EXPECT_THAT(limit.Pass("refused"), Optional(std::string()));
}

}  // namespace
}  // namespace warmpool
