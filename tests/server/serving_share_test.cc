#include "server/serving_share.h"

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;

class ServingShareTest : public ::testing::Test {
 protected:
  void Serve(uid_t uid, absl::Duration time) {
    const absl::Time begun = clock_.Now();
    clock_.Advance(time);
    share_.Charge(uid, begun, /*request_bytes=*/0);
  }
  bool IsUsedUp(uid_t uid) { return share_.IsUsedUp(uid, clock_.Now()); }

  FakeClock clock_;
  ServingShare share_{&clock_};
};

TEST_F(ServingShareTest, WhoIsAloneHasAllOfIt) {
  for (int i = 0; i < 100; ++i) {
    Serve(kAlice, absl::Milliseconds(1));
    EXPECT_FALSE(IsUsedUp(kAlice));
  }
}

TEST_F(ServingShareTest, WhoTakesMoreThanHisShareIsToldAndNobodyElse) {
  Serve(kBob, absl::Microseconds(100));
  Serve(kAlice, absl::Milliseconds(2));
  EXPECT_FALSE(IsUsedUp(kAlice)) << "a quarter of the window is his";
  Serve(kAlice, absl::Milliseconds(1));
  EXPECT_TRUE(IsUsedUp(kAlice));
  EXPECT_FALSE(IsUsedUp(kBob));
}

TEST_F(ServingShareTest, EachWindowBeginsAnew) {
  Serve(kBob, absl::Microseconds(100));
  Serve(kAlice, absl::Milliseconds(5));
  ASSERT_TRUE(IsUsedUp(kAlice));
  clock_.Advance(ServingShare::kWindow);
  EXPECT_FALSE(IsUsedUp(kAlice));
}

TEST_F(ServingShareTest, WhoHasGoneCountsNoMore) {
  Serve(kBob, absl::Microseconds(100));
  clock_.Advance(3 * ServingShare::kWindow);
  Serve(kAlice, absl::Milliseconds(8));
  EXPECT_FALSE(IsUsedUp(kAlice));
  Serve(kBob, absl::Microseconds(1));
  EXPECT_TRUE(IsUsedUp(kAlice));
}

}  // namespace
}  // namespace warmpool
