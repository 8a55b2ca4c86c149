#include "client/cache/idle_reporter.h"

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

class IdleReporterTest : public ::testing::Test {
 protected:
  // Whether that is told now.
  bool Tells(uint64_t bytes) {
    v1::IdleReport idle;
    idle.set_idle_bytes(bytes);
    return reporter_.Take(idle, clock_.Now(), &next_).has_value();
  }

  // A second later, when anything may be told again.
  bool TellsLater(uint64_t bytes) {
    clock_.Advance(IdleReporter::kEvery);
    return Tells(bytes);
  }

  FakeClock clock_;
  IdleReporter reporter_;
  absl::Time next_;
};

TEST_F(IdleReporterTest, TellsChangesThatMatter) {
  EXPECT_FALSE(Tells(0)) << "the daemon takes it for nothing until it is told";
  EXPECT_FALSE(Tells(kMiB - 1));
  EXPECT_TRUE(Tells(80 * kMiB));
  EXPECT_EQ(reporter_.told_bytes(), 80 * kMiB);
  EXPECT_FALSE(TellsLater(80 * kMiB));
  EXPECT_FALSE(TellsLater(90 * kMiB - 1));
  EXPECT_FALSE(TellsLater(70 * kMiB + 1));
  EXPECT_TRUE(TellsLater(90 * kMiB));
  EXPECT_TRUE(TellsLater(kMiB));
  EXPECT_TRUE(TellsLater(0)) << "that nothing is idle always matters";
  EXPECT_FALSE(TellsLater(0));
}

TEST_F(IdleReporterTest, TellsOnceASecondAndSaysWhen) {
  EXPECT_TRUE(Tells(kMiB));
  EXPECT_EQ(next_, absl::InfiniteFuture());
  const absl::Time first = clock_.Now();
  clock_.Advance(absl::Milliseconds(400));
  EXPECT_FALSE(Tells(0));
  EXPECT_EQ(next_, first + IdleReporter::kEvery);
  clock_.Advance(absl::Milliseconds(600));
  EXPECT_TRUE(Tells(0));
}

}  // namespace
}  // namespace warmpool
