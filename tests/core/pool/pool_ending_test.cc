// Releasing, expiring, revoking, dying, draining: how leases end.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PoolEndingTest : public PoolFixture {
 protected:
  PoolEndingTest() { Make(InlineOptions()); }

  static int OpenFile(const LeaseGrant& grant) {
    return open(grant.path.c_str(), O_RDWR | O_CLOEXEC);
  }
};

TEST_F(PoolEndingTest, AReleasedBufferIsWarmForTheNext) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 2 * kMiB);
  EXPECT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  EXPECT_EQ(In(ByteState::kRetained), 2 * kMiB);
  const LeaseGrant next = LeaseOrDie(kBob, 2 * kMiB);
  EXPECT_EQ(next.path, grant.path);
  EXPECT_EQ(next.warmth, Warmth::kWarm);
}

TEST_F(PoolEndingTest, ASecondReleaseIsOkAndChangesNothing) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096);
  EXPECT_THAT(Release(kAlice, grant), IsOk());
  const LeaseGrant next = LeaseOrDie(kAlice, 4096);
  ASSERT_EQ(next.path, grant.path);
  EXPECT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_EQ(In(ByteState::kLeased), 4096u) << "the next lease is another one";
  EXPECT_EQ(pool_->stats().released, 1u);
}

TEST_F(PoolEndingTest, ABatchIsAnsweredOneByOneInItsOrder) {
  const LeaseGrant a = LeaseOrDie(kAlice, 4096);
  const LeaseGrant b = LeaseOrDie(kAlice, 4096);
  const LeaseGrant bobs = LeaseOrDie(kBob, 4096);
  const std::vector<LeaseRef> refs = {
      {a.id}, {random_.Next()}, {bobs.id}, {b.id, b.generation + 7}, {a.id}};
  const std::vector<absl::Status> statuses =
      pool_->Release(kAlice, refs, /*revoke=*/false);
  EXPECT_THAT(
      statuses,
      ElementsAre(IsOk(), StatusIs(absl::StatusCode::kNotFound),
                  StatusIs(absl::StatusCode::kPermissionDenied),
                  StatusIs(absl::StatusCode::kFailedPrecondition), IsOk()));
  EXPECT_EQ(pool_->stats().released, 1u);
  EXPECT_EQ(pool_->stats().live_leases, 2u);
}

TEST_F(PoolEndingTest, RevokingEndsOthersLeasesAndTellsTheirHolders) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "frames");
  const LeaseRef ref{grant.id};
  EXPECT_THAT(pool_->Release(kAdmin, {&ref, 1}, /*revoke=*/false),
              ElementsAre(StatusIs(absl::StatusCode::kPermissionDenied)));
  EXPECT_EQ(pool_->stats().live_leases, 1u);

  EXPECT_THAT(pool_->Release(kAdmin, {&ref, 1}, /*revoke=*/true),
              ElementsAre(IsOk()));
  ASSERT_EQ(revoked_.size(), 1u);
  EXPECT_EQ(revoked_[0].holder, kAlice);
  EXPECT_EQ(revoked_[0].id, grant.id);
  EXPECT_EQ(revoked_[0].buffer_name, "frames");
  EXPECT_EQ(revoked_[0].cause, EndCause::kRevoked);
  EXPECT_THAT(Release(kAlice, grant),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("was revoked")));
}

TEST_F(PoolEndingTest, AnAdminsOwnLeaseIsReleasedNotRevoked) {
  const LeaseRef ref{LeaseOrDie(kAdmin, 4096).id};
  EXPECT_THAT(pool_->Release(kAdmin, {&ref, 1}, /*revoke=*/true),
              ElementsAre(IsOk()));
  EXPECT_EQ(pool_->stats().released, 1u);
  EXPECT_TRUE(revoked_.empty());
}

TEST_F(PoolEndingTest, ALeaseExpiresOnTimeAndItsHolderIsTold) {
  const absl::Time start = clock_.Now();
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "a", absl::Seconds(5));
  EXPECT_EQ(TickAfter(absl::Seconds(5) - absl::Nanoseconds(1)),
            start + absl::Seconds(5));
  EXPECT_EQ(pool_->stats().live_leases, 1u);
  TickAfter(absl::Nanoseconds(1));
  EXPECT_EQ(pool_->stats().live_leases, 0u);
  EXPECT_EQ(pool_->stats().expired, 1u);
  ASSERT_EQ(revoked_.size(), 1u);
  EXPECT_EQ(revoked_[0].id, grant.id);
  EXPECT_EQ(revoked_[0].cause, EndCause::kExpired);
  EXPECT_THAT(Release(kAlice, grant),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("renew it within")));
}

TEST_F(PoolEndingTest, APostponedExpiryLeavesTimeToRenew) {
  const LeaseGrant renewed = LeaseOrDie(kAlice, 4096, "a", absl::Seconds(5));
  const LeaseGrant forgotten = LeaseOrDie(kAlice, 4096, "b", absl::Seconds(5));
  clock_.Advance(absl::Seconds(60));
  const absl::Time grace_end = clock_.Now() + absl::Seconds(3);
  pool_->PostponeExpiry(grace_end);
  EXPECT_EQ(pool_->Tick(), grace_end);
  EXPECT_EQ(pool_->stats().live_leases, 2u);
  EXPECT_THAT(pool_->Renew(kAlice, LeaseRef{renewed.id}, std::nullopt), IsOk());
  // A shorter one changes nothing.
  pool_->PostponeExpiry(clock_.Now());
  TickAfter(absl::Seconds(3) - absl::Nanoseconds(1));
  EXPECT_EQ(pool_->stats().expired, 0u);
  TickAfter(absl::Nanoseconds(1));
  EXPECT_EQ(pool_->stats().expired, 1u);
  EXPECT_THAT(Release(kAlice, renewed), IsOk());
}

TEST_F(PoolEndingTest, ATickForAnEarlierTimeExpiresWhatRanOutByThen) {
  LeaseOrDie(kAlice, 4096, "a", absl::Seconds(1));
  LeaseOrDie(kAlice, 4096, "b", absl::Seconds(5));
  const absl::Time ran_until = clock_.Now() + absl::Seconds(2);
  clock_.Advance(absl::Seconds(60));
  pool_->Tick(ran_until);
  EXPECT_EQ(pool_->stats().expired, 1u);
  EXPECT_EQ(pool_->stats().live_leases, 1u);
}

TEST_F(PoolEndingTest, ALeaseWithoutATimeToLiveLivesOn) {
  LeaseOrDie(kAlice, 4096, "", absl::ZeroDuration());
  TickAfter(absl::Hours(24 * 365));
  EXPECT_EQ(pool_->stats().live_leases, 1u);
}

TEST_F(PoolEndingTest, RenewingGivesAFullTimeToLiveFromNow) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "", absl::Seconds(5));
  TickAfter(absl::Seconds(4));
  EXPECT_EQ(pool_->Renew(kAlice, {grant.id}, absl::Seconds(5)).value(),
            absl::Seconds(5));
  TickAfter(absl::Seconds(4));
  EXPECT_EQ(pool_->stats().live_leases, 1u);
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(pool_->stats().live_leases, 0u);
  EXPECT_EQ(pool_->stats().renewed, 1u);
}

TEST_F(PoolEndingTest, OnlyALiveLeaseOfOnesOwnCanBeRenewed) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096);
  const auto renew = [&](HolderId holder, const LeaseRef& ref,
                         RequestedTtl ttl = std::nullopt) {
    return pool_->Renew(holder, ref, ttl).status();
  };
  EXPECT_THAT(renew(kBob, {grant.id}),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(renew(kAdmin, {grant.id}),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(renew(kAlice, {random_.Next()}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(renew(kAlice, {grant.id, grant.generation + 1}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(renew(kAlice, {grant.id}, -absl::Seconds(1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_THAT(renew(kAlice, {grant.id}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("was released")));
  EXPECT_EQ(pool_->stats().renewed, 0u);
}

TEST_F(PoolEndingTest, AnExpiredBufferIsNotReusedWhileItsHolderHasIt) {
  // Time alone never hands pages to somebody else.
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "", absl::Seconds(5));
  const int fd = OpenFile(grant);
  TickAfter(absl::Seconds(5));
  EXPECT_EQ(In(ByteState::kQuarantined), 4096u);
  EXPECT_NE(LeaseOrDie(kBob, 4096).path, grant.path);
  close(fd);
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
}

TEST_F(PoolEndingTest, ADeadHoldersLeasesEnd) {
  LeaseOrDie(kAlice, 4096, "a");
  LeaseOrDie(kAlice, 8192);
  LeaseOrDie(kBob, 4096, "b");
  AttachOrDie(kAlice, "b");
  pool_->RemoveHolder(kAlice);
  pool_->CheckInvariants();
  EXPECT_EQ(pool_->stats().live_leases, 1u);
  EXPECT_EQ(pool_->stats().holder_died, 3u);
  EXPECT_EQ(pool_->stats().holders, 3u);
  EXPECT_EQ(In(ByteState::kLeased), 4096u) << "Bob's buffer is still his";
  EXPECT_TRUE(revoked_.empty()) << "there is nobody left to tell";
  LeaseOrDie(kBob, 4096, "a");
  pool_->RemoveHolder(kAlice);
}

TEST_F(PoolEndingTest, AHolderThatDiesWhileItsBufferIsMadeGetsNone) {
  calls_.BeforeNext(Call::kFallocate, [&] { pool_->RemoveHolder(kAlice); });
  EXPECT_THAT(Lease(kAlice, Request(4096, "frames")),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(pool_->stats().live_leases, 0u);
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  LeaseOrDie(kBob, 4096, "frames");
}

TEST_F(PoolEndingTest, ADrainingPoolGrantsNothingAndStillTakesBack) {
  const LeaseRequest request = Request(4096, "frames");
  const LeaseGrant grant = Lease(kAlice, request).value();
  EXPECT_THAT(Release(kAlice, LeaseOrDie(kAlice, 2 * kMiB)), IsOk());
  pool_->Drain();
  EXPECT_TRUE(pool_->stats().draining);
  EXPECT_EQ(calls_.live().files, 1u) << "what was retained has ended";

  EXPECT_THAT(Lease(kBob, Request(4096)),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("draining")));
  EXPECT_THAT(pool_->Attach(kBob, AttachTo("frames")),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(pool_->stats().refused_draining, 2u);
  EXPECT_EQ(Lease(kAlice, request)->id, grant.id)
      << "an answer that was lost is given again";
  EXPECT_THAT(pool_->Renew(kAlice, {grant.id}, absl::Seconds(5)), IsOk());
  EXPECT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_EQ(calls_.live().files, 0u);
}

TEST_F(PoolEndingTest, ABufferMadeWhileTheDrainBeganIsNotGranted) {
  calls_.BeforeNext(Call::kFallocate, [&] { pool_->Drain(); });
  EXPECT_THAT(Lease(kAlice, Request(4096)),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(PoolEndingTest, RevokingAllLeavesNoFileThoughSomebodyHasItMapped) {
  const LeaseGrant open_one = LeaseOrDie(kAlice, 4096);
  const LeaseGrant quarantined = LeaseOrDie(kBob, 4096, "b");
  AttachOrDie(kAlice, "b");
  const int fd = OpenFile(open_one);
  const int other_fd = OpenFile(quarantined);
  EXPECT_THAT(Release(kBob, quarantined), IsOk());
  pool_->Drain();
  EXPECT_EQ(pool_->RevokeAll(), 2u);
  EXPECT_EQ(revoked_.size(), 2u);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
  close(fd);
  close(other_fd);
}

// A pool whose maintenance thread is this test: it ticks at once when it is
// told that something falls due earlier, and otherwise when it said.
class PoolDueTest : public PoolFixture {
 protected:
  PoolDueTest() {
    Pool::Options options = InlineOptions();
    options.segments.on_due_earlier = [this] { next_ = pool_->Tick(); };
    Make(options);
    next_ = pool_->Tick();
  }

  absl::Time next_;
};

TEST_F(PoolDueTest, ALeaseExpiresThoughNothingElseHappens) {
  LeaseOrDie(kAlice, 4096, "frames", absl::Seconds(9));
  EXPECT_EQ(next_, clock_.Now() + absl::Seconds(9));
}

TEST_F(PoolDueTest, AnAttachedLeaseExpiresThoughNothingElseHappens) {
  LeaseOrDie(kAlice, 4096, "frames", absl::ZeroDuration());
  AttachOrDie(kBob, "frames", absl::Seconds(5));
  EXPECT_EQ(next_, clock_.Now() + absl::Seconds(5));
}

TEST_F(PoolDueTest, ALeaseRenewedForLessExpiresThoughNothingElseHappens) {
  const LeaseGrant grant =
      LeaseOrDie(kAlice, 4096, "frames", absl::ZeroDuration());
  ASSERT_THAT(pool_->Renew(kAlice, {grant.id}, absl::Seconds(5)), IsOk());
  EXPECT_EQ(next_, clock_.Now() + absl::Seconds(5));
}

TEST_F(PoolEndingTest, OfAForgetfulHolderOnlyWhatNobodyHasEnds) {
  const LeaseGrant unused = LeaseOrDie(kAlice, 4096);
  const LeaseGrant used = LeaseOrDie(kAlice, 8192);
  const LeaseGrant anothers = LeaseOrDie(kBob, 4096);
  const int fd = open(used.path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const absl::Time unconnected = clock_.Now() + absl::Seconds(1);
  // It was connected when it asked for them.
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, clock_.Now()), 0u);
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, unconnected), 1u);
  pool_->CheckInvariants();
  EXPECT_EQ(pool_->stats().unused, 1u);
  EXPECT_EQ(In(ByteState::kRetained), unused.segment_bytes);
  EXPECT_THAT(Release(kAlice, unused),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Release(kBob, anothers), IsOk());
  close(fd);
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, unconnected), 1u);
  EXPECT_EQ(pool_->stats().live_leases, 0u);
}

}  // namespace
}  // namespace warmpool
