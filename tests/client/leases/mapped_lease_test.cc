#include "client/leases/mapped_lease.h"

#include <memory>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "gtest/gtest.h"
#include "tests/client/cache/fake_lease_source.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

class MappedLeaseTest : public ::testing::Test {
 protected:
  // Asked for so long ago, for a time to live of 10 s.
  HeldLease Held(absl::Duration ago) {
    source_->set_ready(1);
    HeldLease held = source_->LeaseAhead(4096, 1).at(0);
    held.granted.mutable_ttl()->set_seconds(10);
    held.asked = MonotonicClock::Get().Now() - ago;
    return held;
  }

  absl::StatusOr<std::unique_ptr<MappedLease>> Map(HeldLease held) {
    return MappedLease::Map(&calls_, source_, std::move(held));
  }

  FaultySystemCalls calls_;
  std::shared_ptr<FakeLeaseSource> source_ =
      std::make_shared<FakeLeaseSource>(&calls_);
};

TEST_F(MappedLeaseTest, AFreshGrantIsMappedWithoutAWord) {
  const auto lease = Map(Held(absl::Seconds(9)));
  ASSERT_THAT(lease, IsOk());
  EXPECT_EQ(source_->renewals(), 0u);
  EXPECT_THAT((*lease)->End(), IsOk());
}

TEST_F(MappedLeaseTest, WhatMayHaveExpiredBeforeItWasMappedIsAskedAfter) {
  const auto lease = Map(Held(absl::Seconds(10)));
  ASSERT_THAT(lease, IsOk());
  EXPECT_EQ(source_->renewals(), 1u);
  EXPECT_THAT((*lease)->End(), IsOk());
}

TEST_F(MappedLeaseTest, WhatIsKnownToHaveEndedIsNotKept) {
  HeldLease held = Held(absl::ZeroDuration());
  source_->SayEnded(held.granted.lease_id());
  EXPECT_THAT(Map(std::move(held)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(calls_.live().mappings, 0u);
  EXPECT_EQ(source_->outstanding(), 0u);
}

TEST_F(MappedLeaseTest, WhatHasExpiredIsAnothersAndNotMapped) {
  HeldLease held = Held(absl::Hours(1));
  source_->SayEnded(held.granted.lease_id());
  EXPECT_THAT(Map(std::move(held)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(calls_.live().mappings, 0u);
  EXPECT_EQ(source_->outstanding(), 0u);
}

}  // namespace
}  // namespace warmpool
