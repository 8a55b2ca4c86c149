#include "tests/torture/hostile/latencies.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace warmpool::torture {
namespace {

TEST(LatenciesTest, NoneHaveNoPercentile) {
  EXPECT_EQ(Latencies().Percentile(0.99), absl::ZeroDuration());
}

TEST(LatenciesTest, OneIsEveryPercentile) {
  Latencies latencies;
  latencies.Add(absl::Milliseconds(7));
  for (const double share : {0.0, 0.5, 0.99, 1.0}) {
    EXPECT_EQ(latencies.Percentile(share), absl::Milliseconds(7));
  }
}

TEST(LatenciesTest, APercentileIsTheLeastThatSoManyDoNotExceed) {
  Latencies latencies;
  for (int i = 200; i >= 1; --i) latencies.Add(absl::Milliseconds(i));
  EXPECT_EQ(latencies.size(), 200u);
  EXPECT_EQ(latencies.Percentile(0), absl::Milliseconds(1));
  EXPECT_EQ(latencies.Percentile(0.5), absl::Milliseconds(100));
  EXPECT_EQ(latencies.Percentile(0.99), absl::Milliseconds(198));
  EXPECT_EQ(latencies.Percentile(1), absl::Milliseconds(200));
}

}  // namespace
}  // namespace warmpool::torture
