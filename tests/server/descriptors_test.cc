#include "server/descriptors.h"

#include <sys/resource.h>

#include "core/memory/kernel/descriptor_limit.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

// Puts the limit back.
class DescriptorsTest : public ::testing::Test {
 protected:
  DescriptorsTest() { getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorsTest() override { setrlimit(RLIMIT_NOFILE, &before_); }

  void SetSoftLimit(rlim_t soft) {
    rlimit limit = before_;
    limit.rlim_cur = soft;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  rlimit before_{};
};

TEST_F(DescriptorsTest, TheLimitIsRaisedAndSegmentsGetTheirShare) {
  SetSoftLimit(256);
  EXPECT_EQ(RaiseDescriptorLimit(), DescriptorsForSegments(before_.rlim_max));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(limit.rlim_cur, before_.rlim_max);
}

TEST_F(DescriptorsTest, RecoveredProcessesLeaveAnEighthToConnections) {
  SetSoftLimit(256);
  EXPECT_EQ(RecoveredDescriptorsEnd(), 224);
}

}  // namespace
}  // namespace warmpool
