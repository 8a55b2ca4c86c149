#include "tests/torture/hostile/slice_latencies.h"

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace warmpool::torture {
namespace {

class SliceLatenciesTest : public ::testing::Test {
 protected:
  // The same for all sizes.
  void AddAll(SliceKind kind, int count, absl::Duration latency) {
    for (size_t size = 0; size < kBystanderSizes.size(); ++size) {
      for (int i = 0; i < count; ++i) latencies_.Add(kind, size, latency);
    }
  }

  SliceLatencies latencies_;
  const SliceLatencies::Limits limits_;
};

TEST_F(SliceLatenciesTest, AsLongAsTheLimitsSayIsOk) {
  AddAll(SliceKind::kQuiet, 100, absl::Milliseconds(3));
  AddAll(SliceKind::kHostile, 100, absl::Milliseconds(9));
  EXPECT_EQ(latencies_.Ratio(0), 3);
  EXPECT_TRUE(latencies_.Compare(limits_).ok());
}

TEST_F(SliceLatenciesTest, ASizeThatTakesLongerIsABreach) {
  AddAll(SliceKind::kQuiet, 100, absl::Milliseconds(3));
  AddAll(SliceKind::kHostile, 100, absl::Milliseconds(9));
  for (int i = 0; i < 2; ++i) {
    latencies_.Add(SliceKind::kHostile, 1, absl::Milliseconds(10));
  }
  const absl::Status status = latencies_.Compare(limits_);
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_NE(status.message().find("1 MiB"), absl::string_view::npos) << status;
}

TEST_F(SliceLatenciesTest, WhatIsShortIsNoBreach) {
  AddAll(SliceKind::kQuiet, 100, absl::Microseconds(100));
  AddAll(SliceKind::kHostile, 100, absl::Milliseconds(2));
  EXPECT_TRUE(latencies_.Compare(limits_).ok());
}

TEST_F(SliceLatenciesTest, TooFewTellNothing) {
  AddAll(SliceKind::kQuiet, 100, absl::Microseconds(100));
  AddAll(SliceKind::kHostile, 99, absl::Microseconds(100));
  EXPECT_TRUE(absl::IsAborted(latencies_.Compare(limits_)));
}

}  // namespace
}  // namespace warmpool::torture
