// A path outlives no lease: where a lease ends without its holder's own
// release, he may have been stopped between the grant and opening the file, and
// may go on at any time. By then the path must not lead to the next holder's
// pages.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

constexpr uint64_t kBytes = 64 * kKiB;

class PoolStaleNameTest : public PoolFixture {
 protected:
  PoolStaleNameTest() {
    Pool::Options options = InlineOptions();
    options.segments.prove_within = absl::Milliseconds(20);
    Make(options);
  }

  // The next lease has the same pages by another path.
  void ExpectPathLeadsNowhere(const LeaseGrant& ended) {
    EXPECT_FALSE(fs::exists(ended.path));
    const LeaseGrant next = LeaseOrDie(kBob, kBytes);
    EXPECT_EQ(next.warmth, Warmth::kWarm);
    EXPECT_NE(next.path, ended.path);
    EXPECT_TRUE(fs::exists(next.path));
  }

  void Revoke(const LeaseGrant& grant) {
    const LeaseRef ref{grant.id};
    EXPECT_THAT(pool_->Release(kAdmin, {&ref, 1}, /*revoke=*/true),
                ElementsAre(IsOk()));
  }

  absl::StatusOr<LeaseGrant> Read(const std::string& name, RequestedTtl ttl) {
    AttachRequest request = AttachTo(name);
    request.access = Access::kReadOnly;
    request.ttl = ttl;
    return pool_->Attach(kBob, request);
  }

  // Alice's buffer, to which Bob had a lease until it expired unmapped.
  LeaseGrant LeaseWithALostWriter() {
    const LeaseGrant lease =
        LeaseOrDie(kAlice, kBytes, "frames", absl::ZeroDuration());
    AttachOrDie(kBob, "frames", absl::Seconds(1));
    TickAfter(absl::Seconds(1));
    EXPECT_EQ(pool_->stats().live_leases, 1u);
    return lease;
  }

  absl::StatusOr<LeaseGrant> HandOver(const LeaseGrant& lease) {
    const LeaseId ticket = random_.Next();
    EXPECT_THAT(pool_->MakeTicket(kAlice, {lease.id, 0}, ticket, std::nullopt),
                IsOk());
    auto claimed =
        pool_->Claim(kBob, {random_.Next(), ClientId(), ticket, std::nullopt});
    pool_->CheckInvariants();
    return claimed;
  }
};

TEST_F(PoolStaleNameTest, OfAnExpiredLease) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes, "", absl::Seconds(1));
  TickAfter(absl::Seconds(1));
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, OfARevokedLease) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes);
  Revoke(lease);
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, OfADeadHoldersLease) {
  // His child may have the path, too.
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes);
  pool_->RemoveHolder(kAlice);
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, OfAnUnusedLease) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes);
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, absl::InfiniteFuture()), 1u);
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, OfAnAttachedLeaseThatExpiredLongBeforeTheLast) {
  const LeaseGrant lease = LeaseWithALostWriter();
  EXPECT_THAT(Release(kAlice, lease), IsOk());
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, OfAReadersLeaseOnASealedBuffer) {
  const LeaseGrant lease =
      LeaseOrDie(kAlice, kBytes, "frames", absl::ZeroDuration());
  ASSERT_THAT(pool_->Seal(kAlice, {lease.id, 0}, {absl::Minutes(1), {}}),
              IsOk());
  ASSERT_THAT(Read("frames", absl::Seconds(1)), IsOk());
  EXPECT_THAT(Release(kAlice, lease), IsOk());
  TickAfter(absl::Seconds(1));
  EXPECT_TRUE(fs::exists(lease.path)) << "it lingers for others";
  TickAfter(absl::Minutes(1));
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, OfTheOtherMembersOfAChannel) {
  LeaseRequest request = Request(kBytes);
  request.channel = "stage";
  const LeaseGrant lease = Lease(kAlice, request).value();
  AttachOrDie(kBob, lease.buffer_name);
  const LeaseRef ref{lease.id, 0, /*for_all_members=*/true};
  EXPECT_THAT(Release(kAlice, ref), IsOk());
  EXPECT_EQ(pool_->stats().live_leases, 0u);
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, OfAReleasedBufferThatSomebodyHadStillOpen) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes);
  const int fd = open(lease.path.c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  EXPECT_THAT(Release(kAlice, lease), IsOk());
  TickAfter(absl::Milliseconds(20));
  EXPECT_EQ(In(ByteState::kQuarantined), kBytes);
  close(fd);
  TickAfter(Quarantine::kFirstPause);
  ExpectPathLeadsNowhere(lease);
}

TEST_F(PoolStaleNameTest, AHoldersOwnReleaseKeepsTheName) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes);
  EXPECT_THAT(Release(kAlice, lease), IsOk());
  EXPECT_EQ(LeaseOrDie(kBob, kBytes).path, lease.path);
  EXPECT_EQ(calls_.Count(Call::kRename), 0u);
}

TEST_F(PoolStaleNameTest, WhoOpensItLastIsFoundByTheNextLease) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes, "", absl::Seconds(1));
  int fd = -1;
  // After the proof that nobody has it, while its name is about to change.
  calls_.BeforeNext(Call::kRename,
                    [&] { fd = open(lease.path.c_str(), O_RDWR); });
  TickAfter(absl::Seconds(1));
  ASSERT_GE(fd, 0);
  const LeaseGrant next = LeaseOrDie(kBob, kBytes);
  EXPECT_EQ(next.warmth, Warmth::kFresh);
  EXPECT_EQ(In(ByteState::kQuarantined), kBytes);
  close(fd);
}

TEST_F(PoolStaleNameTest, WhatCantBeRenamedIsNotLeasedAgain) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes, "", absl::Seconds(1));
  calls_.FailNext(Call::kRename, ENOMEM);
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  const LeaseGrant next = LeaseOrDie(kBob, kBytes);
  EXPECT_EQ(next.warmth, Warmth::kFresh);
  EXPECT_NE(next.path, lease.path);
}

TEST_F(PoolStaleNameTest, WhoClaimsATicketHasAnotherPathThanALostWriter) {
  const LeaseGrant lease = LeaseWithALostWriter();
  ASSERT_TRUE(fs::exists(lease.path)) << "its holder still has it";
  const absl::StatusOr<LeaseGrant> claimed = HandOver(lease);
  ASSERT_THAT(claimed, IsOk());
  EXPECT_FALSE(fs::exists(lease.path));
  EXPECT_TRUE(fs::exists(claimed->path));
  EXPECT_THAT(Release(kBob, *claimed), IsOk());
  EXPECT_EQ(LeaseOrDie(kBob, kBytes).path, claimed->path);
}

TEST_F(PoolStaleNameTest, ATicketWhoseFileCantBeRenamedStaysGood) {
  const LeaseGrant lease = LeaseWithALostWriter();
  const LeaseId ticket = random_.Next();
  ASSERT_THAT(pool_->MakeTicket(kAlice, {lease.id, 0}, ticket, std::nullopt),
              IsOk());
  calls_.FailNext(Call::kRename, ENOMEM);
  const ClaimRequest claim = {random_.Next(), ClientId(), ticket, std::nullopt};
  EXPECT_THAT(pool_->Claim(kBob, claim),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("can't be claimed")));
  EXPECT_THAT(pool_->Claim(kBob, claim), IsOk());
}

TEST_F(PoolStaleNameTest, ATicketOfABufferThatNobodyElseKnewKeepsItsName) {
  const LeaseGrant lease = LeaseOrDie(kAlice, kBytes);
  EXPECT_EQ(HandOver(lease).value().path, lease.path);
}

}  // namespace
}  // namespace warmpool
