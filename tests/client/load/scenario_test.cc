#include "client/load/scenario.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

ScenarioOptions Options(ScenarioKind kind, size_t live,
                        std::optional<uint64_t> leases) {
  return {.kind = kind, .size_bytes = 5, .live = live, .leases = leases};
}

// "+0 +1 -0 -1": slots leased and released, in order. Stops after `limit`.
std::string Steps(Scenario scenario, int limit = 1000) {
  std::string text;
  for (int i = 0; i < limit; ++i) {
    const std::optional<Step> step = scenario.Next();
    if (!step.has_value()) break;
    if (!text.empty()) text += " ";
    text += step->action == Step::Action::kLease ? "+" : "-";
    text += std::to_string(step->slot);
  }
  return text;
}

TEST(ScenarioTest, VmLeasesAllThenReleasesAll) {
  EXPECT_EQ(Steps(Scenario(Options(ScenarioKind::kVm, 3, 3), 1)),
            "+0 +1 +2 -0 -1 -2");
}

TEST(ScenarioTest, ColdChurnGoesInRoundsTheLastOfWhichMayBeShort) {
  EXPECT_EQ(Steps(Scenario(Options(ScenarioKind::kColdChurn, 2, 5), 1)),
            "+0 +1 -0 -1 +0 +1 -0 -1 +0 -0");
}

TEST(ScenarioTest, CacheHeavyReplacesTheOldest) {
  EXPECT_EQ(Steps(Scenario(Options(ScenarioKind::kCacheHeavy, 3, 5), 1)),
            "+0 +1 +2 -0 +0 -1 +1 -2 -0 -1");
}

TEST(ScenarioTest, ARunShorterThanItsLiveBuffersReleasesThoseThereAre) {
  EXPECT_EQ(Steps(Scenario(Options(ScenarioKind::kCacheHeavy, 10, 2), 1)),
            "+0 +1 -0 -1");
  EXPECT_EQ(Steps(Scenario(Options(ScenarioKind::kMixed, 10, 2), 1)),
            "+0 +1 -0 -1");
}

TEST(ScenarioTest, OneLiveBufferIsLeasedAndReleasedByTurns) {
  for (const ScenarioKind kind :
       {ScenarioKind::kCacheHeavy, ScenarioKind::kColdChurn,
        ScenarioKind::kMixed}) {
    EXPECT_EQ(Steps(Scenario(Options(kind, 1, std::nullopt), 1), 5),
              "+0 -0 +0 -0 +0");
  }
}

TEST(ScenarioTest, EverySlotIsLeasedAndReleasedByTurns) {
  for (const ScenarioKind kind :
       {ScenarioKind::kCacheHeavy, ScenarioKind::kColdChurn, ScenarioKind::kVm,
        ScenarioKind::kMixed}) {
    Scenario scenario(Options(kind, 7, 100), 42);
    std::vector<bool> live(scenario.slots());
    uint64_t leases = 0;
    while (const std::optional<Step> step = scenario.Next()) {
      const bool leasing = step->action == Step::Action::kLease;
      ASSERT_LT(step->slot, live.size());
      ASSERT_NE(live[step->slot], leasing);
      live[step->slot] = leasing;
      leases += leasing;
    }
    EXPECT_EQ(leases, 100u);
    EXPECT_EQ(std::count(live.begin(), live.end(), true), 0);
  }
}

TEST(ScenarioTest, TheSeedDecidesWhatMixedDoes) {
  const ScenarioOptions options = Options(ScenarioKind::kMixed, 10, 100);
  EXPECT_EQ(Steps(Scenario(options, 1)), Steps(Scenario(options, 1)));
  EXPECT_NE(Steps(Scenario(options, 1)), Steps(Scenario(options, 2)));
}

TEST(ScenarioTest, MixedSizesAreMostlySmallAndReachBothEnds) {
  Scenario scenario(Options(ScenarioKind::kMixed, 1, 50'000), 3);
  const SizeClasses classes;
  std::map<uint64_t, int> leases_of_class;
  while (const std::optional<Step> step = scenario.Next()) {
    if (step->action != Step::Action::kLease) continue;
    ASSERT_GE(step->bytes, 64 * kKiB);
    ASSERT_LE(step->bytes, 64 * kMiB);
    ++leases_of_class[classes.Bytes(*classes.For(step->bytes))];
  }
  // 64 KiB and four steps for each of ten doublings.
  EXPECT_EQ(leases_of_class.size(), 41u);
  EXPECT_NEAR(leases_of_class[64 * kKiB], 50'000 * 0.31, 1'000);
  EXPECT_NEAR(leases_of_class[64 * kMiB], 50'000 * 0.0037, 60);
}

TEST(ScenarioTest, OtherScenariosLeaseTheSizeAskedFor) {
  Scenario scenario(Options(ScenarioKind::kColdChurn, 1, 1), 1);
  EXPECT_EQ(scenario.Next()->bytes, 5u);
}

TEST(ScenarioTest, NamesAreReadAndWritten) {
  for (const char* name : {"cache_heavy", "cold_churn", "vm", "mixed"}) {
    ScenarioKind kind;
    std::string error;
    ASSERT_TRUE(AbslParseFlag(name, &kind, &error)) << name;
    EXPECT_EQ(AbslUnparseFlag(kind), name);
  }
  ScenarioKind kind;
  std::string error;
  EXPECT_FALSE(AbslParseFlag("lukewarm", &kind, &error));
  EXPECT_EQ(error,
            "\"lukewarm\" is none of cache_heavy, cold_churn, vm, mixed, "
            "handoff");
}

}  // namespace
}  // namespace warmpool
