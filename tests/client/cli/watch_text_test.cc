#include "client/cli/watch_text.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::GetStatsResponse Stats(int pid, int64_t uptime_seconds, uint64_t warm,
                           uint64_t fresh) {
  v1::GetStatsResponse stats;
  stats.set_pid(pid);
  stats.mutable_uptime()->set_seconds(uptime_seconds);
  stats.mutable_leases()->set_granted_warm(warm);
  stats.mutable_leases()->set_granted_fresh(fresh);
  return stats;
}

TEST(WatchTextTest, RatesAreThoseSinceTheLineBefore) {
  WatchText text;
  EXPECT_THAT(text.Line(Stats(1, 10, 100, 100)),
              EndsWith("-           -         -\n"));
  EXPECT_THAT(text.Line(Stats(1, 12, 400, 200)),
              EndsWith(" 200      75.0 %         0\n"));
}

TEST(WatchTextTest, AnotherDaemonHasNoRatesYet) {
  WatchText text;
  text.Line(Stats(1, 10, 100, 100));
  EXPECT_THAT(text.Line(Stats(2, 12, 5, 5)),
              EndsWith("-           -         -\n"));
}

TEST(WatchTextTest, TheColumnsAreNamedOnceInAScreenful) {
  WatchText text;
  EXPECT_THAT(text.Line(Stats(1, 1, 0, 0)), StartsWith("  leases"));
  for (int i = 2; i <= 20; ++i) {
    EXPECT_THAT(text.Line(Stats(1, i, 0, 0)), Not(HasSubstr("leases")));
  }
  EXPECT_THAT(text.Line(Stats(1, 21, 0, 0)), StartsWith("  leases"));
}

}  // namespace
}  // namespace warmpool
