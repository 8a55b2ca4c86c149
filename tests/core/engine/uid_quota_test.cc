#include "core/engine/uid_quota.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "core/base/byte_size.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;

UidQuota::Options Limits(size_t leases, uint64_t bytes) {
  UidQuota::Options options;
  options.max_leases = leases;
  options.max_bytes = bytes;
  return options;
}

TEST(UidQuotaTest, GrantsUpToTheLimitOfLeasesAndAgainAfterARelease) {
  UidQuota quota(Limits(2, kGiB));
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  EXPECT_THAT(quota.Reserve(kAlice, 0), IsOk());
  EXPECT_THAT(quota.Reserve(kAlice, 0),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("uid 1000"), HasSubstr("2 leases"))));
  quota.ReleaseLease(kAlice);
  EXPECT_THAT(quota.Reserve(kAlice, 0), IsOk());
  quota.CheckInvariants();
}

TEST(UidQuotaTest, GrantsUpToTheLimitOfBytesExactly) {
  UidQuota quota(Limits(10, 2 * kMiB));
  EXPECT_THAT(quota.Reserve(kAlice, 2 * kMiB + 1),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  EXPECT_THAT(quota.Reserve(kAlice, 1),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("uid 1000"), HasSubstr("2 MiB"))));
  EXPECT_EQ(quota.UsageOf(kAlice).bytes, 2 * kMiB);
}

TEST(UidQuotaTest, ARefusalCountsNothing) {
  UidQuota quota(Limits(1, kMiB));
  EXPECT_FALSE(quota.Reserve(kAlice, kGiB).ok());
  EXPECT_EQ(quota.UsageOf(kAlice).leases, 0u);
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  EXPECT_FALSE(quota.Reserve(kAlice, 0).ok());
  EXPECT_EQ(quota.UsageOf(kAlice).leases, 1u);
  EXPECT_EQ(quota.UsageOf(kAlice).bytes, kMiB);
  quota.CheckInvariants();
}

TEST(UidQuotaTest, OneUidDoesNotUseUpAnothers) {
  UidQuota quota(Limits(1, kMiB));
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  EXPECT_THAT(quota.Reserve(kBob, kMiB), IsOk());
  EXPECT_FALSE(quota.Reserve(kAlice, 0).ok());
}

TEST(UidQuotaTest, ByDefaultBytesAreNotLimited) {
  UidQuota quota{UidQuota::Options()};
  EXPECT_THAT(quota.Reserve(kAlice, UINT64_MAX), IsOk());
  EXPECT_THAT(quota.Reserve(kAlice, 0), IsOk());
  EXPECT_FALSE(quota.Reserve(kAlice, 1).ok());
}

TEST(UidQuotaTest, WhatIsForcedMayExceedTheLimitsAndThenNothingIsGranted) {
  UidQuota quota(Limits(1, kMiB));
  quota.Force(kAlice, kGiB);
  quota.Force(kAlice, kGiB);
  EXPECT_FALSE(quota.Reserve(kAlice, 0).ok());
  for (int i = 0; i < 2; ++i) {
    quota.ReleaseLease(kAlice);
    quota.ReleaseBytes(kAlice, kGiB);
  }
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  quota.CheckInvariants();
}

TEST(UidQuotaDeathTest, AbortsWhenMoreIsGivenBackThanThereIs) {
  UidQuota quota{UidQuota::Options()};
  EXPECT_THAT(quota.Reserve(kAlice, 10), IsOk());
  EXPECT_DEATH(quota.ReleaseBytes(kAlice, 11), "more than it has");
  EXPECT_DEATH(quota.ReleaseLease(kBob), "more than it has");
}

TEST(UidQuotaTest, BytesCountUntilTheirBufferIsGoneWhichIsAfterItsLeases) {
  UidQuota quota(Limits(1, kMiB));
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  quota.ReleaseLease(kAlice);
  quota.CheckInvariants();
  EXPECT_FALSE(quota.Reserve(kAlice, 1).ok());
  quota.ReleaseBytes(kAlice, kMiB);
  EXPECT_THAT(quota.Reserve(kAlice, kMiB), IsOk());
  quota.CheckInvariants();
}

TEST(UidQuotaTest, WhatIsNotProvenCountsAsASegmentAndByItsBytes) {
  UidQuota quota(Limits(2, kMiB));
  quota.AddUnproven(kAlice, kMiB / 2);
  EXPECT_THAT(quota.Reserve(kAlice, kMiB / 2 + 1),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("512 KiB in 1 of them released")));
  EXPECT_THAT(quota.Reserve(kAlice, kMiB / 2), IsOk());
  EXPECT_THAT(quota.Reserve(kAlice, 0),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("2 leases of the 2")));
  quota.CheckInvariants();
  quota.RemoveUnproven(kAlice, kMiB / 2);
  EXPECT_THAT(quota.Reserve(kAlice, kMiB / 2), IsOk());
  EXPECT_EQ(quota.UsageOf(kAlice).unproven_segments, 0u);
  EXPECT_EQ(quota.UsageOf(kAlice).bytes, kMiB);
  quota.CheckInvariants();
}

// Random reservations and releases against a list of what is reserved.
TEST(UidQuotaTest, AddsUpAtEveryStep) {
  UidQuota quota(Limits(20, 1000));
  std::map<uid_t, std::vector<uint64_t>> held;
  std::mt19937 random(1);
  for (int step = 0; step < 10'000; ++step) {
    const uid_t uid = kAlice + random() % 3;
    std::vector<uint64_t>& leases = held[uid];
    uint64_t bytes = 0;
    for (const uint64_t lease : leases) bytes += lease;
    if (random() % 2 == 0 && !leases.empty()) {
      std::swap(leases[random() % leases.size()], leases.back());
      quota.ReleaseLease(uid);
      quota.ReleaseBytes(uid, leases.back());
      leases.pop_back();
    } else {
      const uint64_t wanted = random() % 200;
      const bool fits = leases.size() < 20 && bytes + wanted <= 1000;
      EXPECT_EQ(quota.Reserve(uid, wanted).ok(), fits);
      if (fits) leases.push_back(wanted);
    }
    quota.CheckInvariants();
    EXPECT_EQ(quota.UsageOf(uid).leases, leases.size());
  }
}

}  // namespace
}  // namespace warmpool
