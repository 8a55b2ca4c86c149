#include "core/base/check.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(CheckDeathTest, AbortsTellingWhereAndWhat) {
  EXPECT_DEATH(WARMPOOL_CHECK(1 + 1 == 3, "sums are off"),
               "check_test.cc:[0-9]+: check failed: 1 \\+ 1 == 3 \\(sums are "
               "off\\)");
}

TEST(CheckTest, EvaluatesItsConditionOnce) {
  int evaluated = 0;
  WARMPOOL_CHECK(++evaluated > 0, "never");
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace warmpool
