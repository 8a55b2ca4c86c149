#include "client/channels/channel_budget.h"

#include <cstdint>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(ChannelBudgetTest, GivesAsManyBuffersAsItHas) {
  ChannelBudget budget("frames", {.max_buffers = 2});
  EXPECT_THAT(budget.Take(kMiB), IsOk());
  EXPECT_THAT(budget.Take(kMiB), IsOk());
  EXPECT_THAT(budget.Take(kMiB),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("\"frames\""), HasSubstr("2 buffers"),
                             HasSubstr("2 MiB"),
                             HasSubstr("ChannelOptions::max_buffers, 2"),
                             HasSubstr("raise the limit"))));
  EXPECT_EQ(budget.buffers(), 2u);
  budget.GiveBack(kMiB);
  EXPECT_THAT(budget.Take(kMiB), IsOk());
}

TEST(ChannelBudgetTest, GivesAsManyBytesAsItHas) {
  ChannelBudget budget("frames", {.max_bytes = 3 * kMiB});
  EXPECT_THAT(budget.Take(2 * kMiB), IsOk());
  EXPECT_THAT(budget.Take(2 * kMiB),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("1 buffers, 2 MiB"),
                             HasSubstr("another of 2 MiB"),
                             HasSubstr("ChannelOptions::max_bytes, 3 MiB"))));
  EXPECT_EQ(budget.bytes(), 2 * kMiB) << "what is refused takes nothing";
  EXPECT_THAT(budget.Take(kMiB), IsOk());
  budget.GiveBack(2 * kMiB);
  budget.GiveBack(kMiB);
  EXPECT_EQ(budget.buffers(), 0u);
  EXPECT_EQ(budget.bytes(), 0u);
}

TEST(ChannelBudgetTest, OneThatNeverFitsIsRefusedWithoutAnOverflow) {
  ChannelBudget budget("frames", {.max_bytes = kMiB});
  EXPECT_THAT(budget.Take(UINT64_MAX),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(budget.Take(kMiB), IsOk());
  EXPECT_THAT(budget.Take(UINT64_MAX),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace warmpool
