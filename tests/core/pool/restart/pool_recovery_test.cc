// What a daemon takes over from the one before it: by the journal, and by the
// word of the clients.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/journal/journal.h"
#include "core/pool/pool.h"
#include "tests/core/pool/restart/pool_recovery_fixture.h"

namespace warmpool {
namespace {

using PoolRecoveryTest = PoolRecoveryFixture;

TEST_F(PoolRecoveryTest, LeasesOfTheLivingGoOnWithAFullTimeToLive) {
  const LeaseRequest request = Request(100'000, "frame");
  const LeaseGrant grant = Lease(kAlice, request).value();
  const LeaseGrant view = AttachOrDie(kBob, "frame");
  clock_.Advance(absl::Seconds(59));
  const Recovered recovery = Restart({kAlice, kBob});
  EXPECT_EQ(recovery.leases, 2u);
  EXPECT_EQ(recovery.ended_leases, 0u);
  EXPECT_EQ(recovery.leftovers, 0u);
  EXPECT_EQ(In(ByteState::kLeased), grant.segment_bytes);
  TickAfter(absl::Seconds(59));
  EXPECT_EQ(pool_->stats().live_leases, 2u);

  // The same answer to a request that is repeated, and the same fence.
  const LeaseGrant again = Lease(kAlice, request).value();
  EXPECT_EQ(again.id, grant.id);
  EXPECT_EQ(again.path, grant.path);
  EXPECT_EQ(again.generation, grant.generation);
  EXPECT_THAT(Lease(kBob, Request(1, "frame")).status(),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_GT(LeaseOrDie(kBob, 1).generation, grant.generation);

  ASSERT_THAT(Release(kBob, view), IsOk());
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  // What other leases there were on it is not known any more.
  const LeaseGrant next = LeaseOrDie(kAlice, 100'000);
  EXPECT_EQ(next.warmth, Warmth::kWarm);
  EXPECT_NE(next.path, grant.path);
}

TEST_F(PoolRecoveryTest, ALeaseIsRecoveringUntilItsHolderShowsItself) {
  const LeaseRequest asks = Request(4096, "asks");
  Lease(kAlice, asks).value();
  const LeaseGrant renews = LeaseOrDie(kAlice, 4096, "renews");
  const LeaseRequest told = Request(4096, "asserts");
  const AssertedLease asserts = AssertionOf(Lease(kAlice, told).value(), told);
  LeaseOrDie(kAlice, 4096, "attaches");
  const LeaseGrant releases = LeaseOrDie(kAlice, 4096, "releases");
  LeaseOrDie(kBob, 4096, "dies");
  LeaseOrDie(kAlice, 4096, "silent");
  EXPECT_EQ(Recovering(), std::set<std::string>());
  Restart({kAlice, kBob});
  EXPECT_EQ(Recovering().size(), 7u);

  LeaseOrDie(kAlice, 4096, "other");
  AttachOrDie(kBob, "attaches");
  EXPECT_EQ(Recovering().size(), 7u) << "nobody has shown himself";

  ASSERT_THAT(Lease(kAlice, asks).status(), IsOk());
  EXPECT_FALSE(Recovering().contains("asks"));
  ASSERT_THAT(pool_->Renew(kAlice, {renews.id, 0}, std::nullopt).status(),
              IsOk());
  EXPECT_FALSE(Recovering().contains("renews"));
  ASSERT_THAT(Assert(kAlice, asserts).status(), IsOk());
  EXPECT_FALSE(Recovering().contains("asserts"));
  AttachOrDie(kAlice, "attaches");
  EXPECT_FALSE(Recovering().contains("attaches"));
  ASSERT_THAT(Release(kAlice, releases), IsOk());
  EXPECT_FALSE(Recovering().contains("releases"));
  pool_->RemoveHolder(kBob);
  EXPECT_EQ(Recovering(), std::set<std::string>{"silent"});
}

TEST_F(PoolRecoveryTest, ARecoveringLeaseExpiresLikeAnyOther) {
  LeaseOrDie(kAlice, 4096, "short", absl::Seconds(5));
  LeaseOrDie(kAlice, 4096, "forever", absl::ZeroDuration());
  Restart({kAlice});
  TickAfter(absl::Seconds(6));
  EXPECT_EQ(Recovering(), std::set<std::string>{"forever"})
      << "its holder's process is known to live";
  TickAfter(absl::Hours(24));
  EXPECT_EQ(Recovering(), std::set<std::string>{"forever"});
}

TEST_F(PoolRecoveryTest, WhoAsksForItsRecoveringLeaseAgainHasAFullTimeToLive) {
  const LeaseRequest request = Request(4096, "frame");
  Lease(kAlice, request).value();
  Restart({kAlice});
  TickAfter(absl::Seconds(59));
  ASSERT_THAT(Lease(kAlice, request).status(), IsOk());
  TickAfter(absl::Seconds(59));
  EXPECT_EQ(pool_->stats().live_leases, 1u);
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(pool_->stats().live_leases, 0u);
}

TEST_F(PoolRecoveryTest, LeasesOfTheDeadEndAndTheirSegmentsAreReclaimed) {
  LeaseOrDie(kAlice, 100'000);
  const LeaseGrant kept = LeaseOrDie(kBob, 200'000);
  const Recovered recovery = Restart({kBob});
  EXPECT_EQ(recovery.leases, 1u);
  EXPECT_EQ(recovery.ended_leases, 1u);
  EXPECT_EQ(recovery.leftovers, 1u);
  EXPECT_EQ(In(ByteState::kLeased), kept.segment_bytes);
  TickAfter(absl::Seconds(2));
  pool_->Drain();
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
  EXPECT_EQ(CountSegmentFiles(path_), 1u);
  // The journal has heard of the end.
  EXPECT_EQ(Restart({kAlice, kBob}).leases, 1u);
}

TEST_F(PoolRecoveryTest, WhatWasReleasedDoesNotComeBack) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 100'000);
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_EQ(In(ByteState::kRetained), grant.segment_bytes);
  EXPECT_EQ(Restart({kAlice, kBob}).leases, 0u);
  EXPECT_THAT(Release(kAlice, grant), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PoolRecoveryTest, ALeaseWhoseFileIsGoneHasEnded) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 100'000);
  unlink(grant.path.c_str());
  const Recovered recovery = Restart({kAlice});
  EXPECT_EQ(recovery.leases, 0u);
  EXPECT_EQ(recovery.ended_leases, 1u);
}

TEST_F(PoolRecoveryTest, ARenewalWithAnotherTimeToLiveIsKept) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "", absl::Seconds(5));
  ASSERT_THAT(pool_->Renew(kAlice, {grant.id, 0}, absl::Seconds(50)).status(),
              IsOk());
  Restart({kAlice});
  TickAfter(absl::Seconds(49));
  EXPECT_EQ(pool_->stats().live_leases, 1u);
  TickAfter(absl::Seconds(2));
  EXPECT_EQ(pool_->stats().live_leases, 0u);
}

TEST_F(PoolRecoveryTest, ALeaseGoesOnThoughItsClientKeepsTheSegmentShut) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 100'000, "frame");
  const int fd = open(grant.path.c_str(), O_RDWR | O_CLOEXEC);
  Stop();
  ASSERT_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
  const Recovered recovery = Start({kAlice});
  EXPECT_EQ(recovery.leases, 1u);
  EXPECT_EQ(recovery.leftovers, 0u);
  EXPECT_EQ(In(ByteState::kLeased), grant.segment_bytes);
  EXPECT_EQ(AttachOrDie(kBob, "frame").path, grant.path);
  pool_->RemoveHolder(kBob);
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(In(ByteState::kQuarantined), grant.segment_bytes);
  close(fd);
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
}

TEST_F(PoolRecoveryTest, WithoutAJournalAClientsWordIsEnough) {
  const LeaseRequest request = Request(100'000, "frame");
  const LeaseGrant grant = Lease(kAlice, request).value();
  const AttachRequest attach = AttachTo("frame");
  const LeaseGrant view = pool_->Attach(kBob, attach).value();
  RestartWithoutJournal();
  EXPECT_EQ(In(ByteState::kQuarantined), grant.segment_bytes);

  AssertedLease asserted = AssertionOf(grant, request);
  EXPECT_EQ(Assert(kAlice, asserted).value(), absl::Seconds(5));
  EXPECT_EQ(In(ByteState::kLeased), grant.segment_bytes);
  AssertedLease viewed = AssertionOf(view, request);
  viewed.request_id = attach.request_id;
  EXPECT_THAT(Assert(kBob, viewed).status(), IsOk());
  // Again: that is a renewal.
  EXPECT_THAT(Assert(kAlice, asserted).status(), IsOk());
  EXPECT_EQ(pool_->stats().live_leases, 2u);
  EXPECT_EQ(pool_->stats().asserted, 2u);
  // And journalled.
  EXPECT_EQ(Restart({kAlice, kBob}).leases, 2u);
}

TEST_F(PoolRecoveryTest, AnAssertionNobodyCanHaveIsRefused) {
  const LeaseRequest request = Request(100'000, "frame");
  const LeaseGrant grant = Lease(kAlice, request).value();
  const AssertedLease good = AssertionOf(grant, request);
  EXPECT_THAT(Assert(kBob, good).status(),
              StatusIs(absl::StatusCode::kPermissionDenied));
  AssertedLease elsewhere = good;
  elsewhere.id = random_.Next();
  elsewhere.request_id = random_.Next();
  elsewhere.file_name = "../../etc/passwd";
  EXPECT_THAT(Assert(kBob, elsewhere).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  elsewhere.buffer_name = "another";
  EXPECT_THAT(Assert(kBob, elsewhere).status(),
              StatusIs(absl::StatusCode::kNotFound));
  // A segment that is leased, or retained, is nobody's leftover.
  elsewhere.file_name = good.file_name;
  EXPECT_THAT(Assert(kBob, elsewhere).status(),
              StatusIs(absl::StatusCode::kNotFound));
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_THAT(Assert(kBob, elsewhere).status(),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Assert(kAlice, good).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition));

  const LeaseRequest second = Request(100'000, "frame");
  AssertedLease larger = AssertionOf(Lease(kAlice, second).value(), second);
  RestartWithoutJournal();
  larger.bytes = uint64_t{1} << 40;
  EXPECT_THAT(Assert(kAlice, larger).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(pool_->stats().live_leases, 0u);
}

TEST_F(PoolRecoveryTest,
       AnAssertedGenerationMovesThoseOfOthersByAMarginAtMost) {
  const LeaseRequest request = Request(4096, "frame");
  AssertedLease asserted = AssertionOf(Lease(kAlice, request).value(), request);
  RestartWithoutJournal();
  for (const uint64_t generation :
       {uint64_t{1} << 41, uint64_t{1} << 62, UINT64_MAX}) {
    asserted.generation = generation;
    EXPECT_THAT(Assert(kAlice, asserted).status(),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  // The daemon that lost its journal may have got so far.
  asserted.generation = uint64_t{1} << 39;
  EXPECT_THAT(Assert(kAlice, asserted).status(), IsOk());
  EXPECT_EQ(LeaseOrDie(kBob, 4096, "next").generation, asserted.generation + 1);
}

TEST_F(PoolRecoveryTest, AssertionsAreNoWayAroundAUidsLimit) {
  options_.quota.max_leases = 2;
  Restart({});
  const LeaseRequest request = Request(4096, "frame");
  AssertedLease more = AssertionOf(Lease(kAlice, request).value(), request);
  for (const bool fits : {true, false}) {
    more.id = random_.Next();
    more.request_id = random_.Next();
    EXPECT_EQ(Assert(kBob, more).ok(), fits);
  }
  EXPECT_EQ(pool_->stats().live_leases, 2u);
}

TEST_F(PoolRecoveryTest, AGenerationNobodyWasGivenIsRefused) {
  const LeaseRequest request = Request(4096, "frame");
  AssertedLease forged = AssertionOf(Lease(kAlice, request).value(), request);
  RestartWithoutJournal();
  forged.generation = UINT64_MAX;
  EXPECT_THAT(Assert(kAlice, forged).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_LT(LeaseOrDie(kBob, 4096).generation, 100u);
}

TEST_F(PoolRecoveryTest, ASegmentOfAnotherSizeThanItsClassIsNotReused) {
  const LeaseRequest request = Request(40 * kKiB, "frame");
  const LeaseGrant grant = Lease(kAlice, request).value();
  AssertedLease asserted = AssertionOf(grant, request);
  ASSERT_EQ(truncate(grant.path.c_str(), 36 * kKiB), 0);
  RestartWithoutJournal();
  asserted.bytes = 4096;
  ASSERT_THAT(Assert(kAlice, asserted).status(), IsOk());
  ASSERT_THAT(Release(kAlice, LeaseRef{asserted.id, asserted.generation}),
              IsOk());
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  const LeaseGrant next = LeaseOrDie(kAlice, 40 * kKiB);
  EXPECT_NE(next.path, grant.path);
  EXPECT_EQ(next.segment_bytes, 40 * kKiB);
}

TEST_F(PoolRecoveryTest, AClaimThatFailsLeavesTheSegmentToABetterOne) {
  const LeaseRequest request = Request(100'000, "frame");
  const LeaseGrant grant = Lease(kAlice, request).value();
  const AssertedLease good = AssertionOf(grant, request);
  const int fd = open(grant.path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  RestartWithoutJournal();
  AssertedLease bad = good;
  bad.bytes = uint64_t{1} << 40;
  EXPECT_FALSE(Assert(kAlice, bad).ok());
  TickAfter(absl::Seconds(1));
  EXPECT_THAT(Assert(kAlice, good).status(), IsOk());
  close(fd);
}

}  // namespace
}  // namespace warmpool
