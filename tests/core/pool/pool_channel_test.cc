// Buffers in channels: leased to all members, set aside when one of them goes
// without a word.
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/base/channel_name.h"
#include "core/lease/lease_names.h"
#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/pool_fixture.h"
#include "tests/core/pool/restart/pool_recovery_fixture.h"

namespace warmpool {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class PoolChannelTest : public PoolFixture {
 protected:
  PoolChannelTest() { Make(InlineOptions()); }

  LeaseGrant LeaseIn(const std::string& channel, HolderId holder,
                     RequestedTtl ttl = std::nullopt) {
    LeaseRequest request = Request(2 * kMiB);
    request.channel = channel;
    request.ttl = ttl;
    return Lease(holder, request).value();
  }

  absl::Status Attach(HolderId holder, const std::string& name) {
    const auto grant = pool_->Attach(holder, AttachTo(name));
    pool_->CheckInvariants();
    return grant.status();
  }

  absl::Status ReleaseForAll(HolderId holder, const LeaseGrant& grant) {
    const LeaseRef ref{grant.id, 0, /*for_all_members=*/true};
    const absl::Status status = pool_->Release(holder, {&ref, 1}, false)[0];
    pool_->CheckInvariants();
    return status;
  }

  void Die(HolderId holder) {
    pool_->RemoveHolder(holder);
    pool_->CheckInvariants();
  }

  size_t Leases() { return pool_->stats().live_leases; }
  size_t Buffers() { return pool_->stats().live_buffers; }
};

TEST_F(PoolChannelTest, ABufferIsNamedForItsChannelAndLivesAsLongAsItsHolder) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  EXPECT_THAT(grant.buffer_name, StartsWith("channel:frames:"));
  EXPECT_EQ(ChannelOf(grant.buffer_name), "frames");
  EXPECT_EQ(grant.ttl, absl::ZeroDuration());
  EXPECT_EQ(AttachOrDie(kBob, grant.buffer_name).ttl, absl::ZeroDuration());
}

TEST_F(PoolChannelTest, ItsMembersHaveItTogetherForWriting) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  const LeaseGrant attached = AttachOrDie(kBob, grant.buffer_name);
  EXPECT_EQ(attached.path, grant.path);
  EXPECT_EQ(attached.access, Access::kSharedWritable);
}

TEST_F(PoolChannelTest, NoOtherUidSeesIt) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  EXPECT_THAT(Attach(kCarol, grant.buffer_name),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PoolChannelTest, NothingInAChannelIsSealedOrGivenByATicket) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  EXPECT_THAT(pool_->Seal(kAlice, {grant.id, 0}, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("is in a channel")));
  EXPECT_THAT(pool_->MakeTicket(kAlice, {grant.id, 0}, random_.Next(), {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("is in a channel")));
  AttachRequest read = AttachTo(grant.buffer_name);
  read.access = Access::kReadOnly;
  EXPECT_THAT(pool_->Attach(kBob, read),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("shared writable")));
}

TEST_F(PoolChannelTest, AMembersReleaseIsItsOwn) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  const LeaseGrant attached = AttachOrDie(kBob, grant.buffer_name);
  EXPECT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_THAT(Release(kBob, attached), IsOk());
  EXPECT_TRUE(revoked_.empty());
}

TEST_F(PoolChannelTest, WhatTheLastMemberLetGoOfWaitsForWhoWasGivenIt) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_EQ(Buffers(), 1u);
  const LeaseGrant attached = AttachOrDie(kBob, grant.buffer_name);
  // What kept it goes, and Bob's lease stays.
  clock_.Advance(absl::Seconds(11));
  pool_->Tick();
  pool_->CheckInvariants();
  EXPECT_EQ(Leases(), 1u);
  ASSERT_THAT(ReleaseForAll(kBob, attached), IsOk());
  EXPECT_EQ(Buffers(), 0u);
}

TEST_F(PoolChannelTest, ItWaitsAnewForEachWhoMayHaveBeenGivenIt) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  clock_.Advance(absl::Seconds(9));
  ASSERT_THAT(Release(kBob, AttachOrDie(kBob, grant.buffer_name)), IsOk());
  clock_.Advance(absl::Seconds(9));
  pool_->Tick();
  EXPECT_THAT(Attach(kAlice, grant.buffer_name), IsOk());
}

TEST_F(PoolChannelTest, ItsMembersAreNotMoreThanEndAtOnce) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  for (size_t i = 1; i < LeaseTable::Buffer::kMaxMemberLeases; ++i) {
    ASSERT_THAT(pool_->Attach(kBob, AttachTo(grant.buffer_name)), IsOk());
  }
  EXPECT_THAT(
      Attach(kAlice, grant.buffer_name),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1024 leases")));
  Die(kBob);
  EXPECT_EQ(Leases(), 0u);
}

TEST_F(PoolChannelTest, WhatNobodyComesForEnds) {
  ASSERT_THAT(Release(kAlice, LeaseIn("frames", kAlice)), IsOk());
  clock_.Advance(absl::Seconds(11));
  pool_->Tick();
  pool_->CheckInvariants();
  EXPECT_EQ(Buffers(), 0u);
}

TEST_F(PoolChannelTest, WhoHasItEndsItForAll) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  const LeaseGrant attached = AttachOrDie(kBob, grant.buffer_name);
  ASSERT_THAT(ReleaseForAll(kAlice, grant), IsOk());
  EXPECT_EQ(Buffers(), 0u);
  ASSERT_EQ(revoked_.size(), 1u);
  EXPECT_EQ(revoked_[0].id, attached.id);
  EXPECT_EQ(revoked_[0].holder, kBob);
}

TEST_F(PoolChannelTest, ADeathSetsAsideWhatTheDeadCouldHaveHad) {
  const LeaseGrant both = LeaseIn("frames", kAlice);
  const LeaseGrant bobs = AttachOrDie(kBob, both.buffer_name);
  const LeaseGrant own = LeaseIn("frames", kBob);
  // As Bob's mapping, which keeps the proof from succeeding.
  const int bobs_fd = open(both.path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(bobs_fd, 0);
  Die(kAlice);
  ASSERT_EQ(revoked_.size(), 1u);
  EXPECT_EQ(revoked_[0].id, bobs.id);
  EXPECT_EQ(Leases(), 1u);
  EXPECT_THAT(Attach(kBob, both.buffer_name),
              StatusIs(absl::StatusCode::kNotFound));
  clock_.Advance(absl::Minutes(1));
  pool_->Tick();
  EXPECT_EQ(pool_->stats().segments.quarantined_segments, 1u);
  close(bobs_fd);
  clock_.Advance(absl::Minutes(1));
  pool_->Tick();
  EXPECT_EQ(pool_->stats().segments.quarantined_segments, 0u);
  EXPECT_THAT(Release(kBob, own), IsOk());
}

TEST_F(PoolChannelTest, AMemberThatDoesNotRenewCountsAsDead) {
  const LeaseGrant grant = LeaseIn("frames", kAlice, absl::Seconds(5));
  AttachOrDie(kBob, grant.buffer_name);
  clock_.Advance(absl::Seconds(6));
  pool_->Tick();
  pool_->CheckInvariants();
  EXPECT_EQ(Leases(), 0u);
  EXPECT_EQ(revoked_.size(), 2u);
}

TEST_F(PoolChannelTest, AnAdminRevokesItForAll) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  AttachOrDie(kBob, grant.buffer_name);
  const LeaseRef ref{grant.id, 0};
  ASSERT_THAT(pool_->Release(kAdmin, {&ref, 1}, /*revoke=*/true)[0], IsOk());
  EXPECT_EQ(Leases(), 0u);
}

TEST_F(PoolChannelTest, OneProcessMayHaveSeveralLeasesOnIt) {
  const LeaseGrant grant = LeaseIn("frames", kAlice);
  AttachOrDie(kAlice, grant.buffer_name);
  AttachOrDie(kBob, grant.buffer_name);
  Die(kAlice);
  EXPECT_EQ(Leases(), 0u);
}

TEST_F(PoolChannelTest, OfAnOrdinaryBufferOthersKeepTheirLeases) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 2 * kMiB, "ordinary");
  AttachOrDie(kBob, "ordinary");
  ASSERT_THAT(ReleaseForAll(kAlice, grant), IsOk());
  EXPECT_EQ(Leases(), 1u);
}

TEST_F(PoolChannelTest, RefusesNamesThatAreNone) {
  LeaseRequest request = Request(kMiB, "own");
  request.channel = "frames";
  EXPECT_THAT(Lease(kAlice, request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("leave the name out")));
  for (const std::string& channel :
       {std::string(), std::string("a:b"), std::string(81, 'x')}) {
    LeaseRequest unnamed = Request(kMiB);
    unnamed.channel = channel;
    EXPECT_THAT(Lease(kAlice, unnamed),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("the channel's name")));
  }
  LeaseRequest longest = Request(kMiB);
  longest.channel = std::string(80, 'x');
  EXPECT_THAT(Lease(kAlice, longest), IsOk());
}

class PoolChannelRecoveryTest : public PoolRecoveryFixture {
 protected:
  PoolChannelRecoveryTest() {
    LeaseRequest request = Request(2 * kMiB);
    request.channel = "frames";
    alices_ = Lease(kAlice, request).value();
    bobs_ = AttachOrDie(kBob, alices_.buffer_name);
  }

  LeaseGrant alices_;
  LeaseGrant bobs_;
};

TEST_F(PoolChannelRecoveryTest, ADaemonTakesItOverForAllMembers) {
  EXPECT_EQ(Restart({kAlice, kBob}).leases, 2u);
  EXPECT_THAT(Release(kAlice, alices_), IsOk());
  EXPECT_THAT(Release(kBob, bobs_), IsOk());
}

TEST_F(PoolChannelRecoveryTest, WhoDiedWhileThereWasNoneCountsAsDead) {
  for (const HolderId survivor : {kBob, kAlice}) {
    const Recovered recovery = Restart({survivor});
    EXPECT_EQ(recovery.leases, 0u);
    EXPECT_EQ(pool_->stats().live_buffers, 0u);
    // A later one learns the same.
    EXPECT_EQ(Restart({kAlice, kBob}).leases, 0u);
    LeaseRequest request = Request(2 * kMiB);
    request.channel = "frames";
    const LeaseGrant next = Lease(kAlice, request).value();
    AttachOrDie(kBob, next.buffer_name);
  }
}

TEST_F(PoolChannelRecoveryTest, ItsMembersWordIsTakenWhereTheJournalIsLost) {
  RestartWithoutJournal();
  AssertedLease asserted = AssertionOf(alices_, Request(2 * kMiB));
  EXPECT_THAT(pool_->Assert(kAlice, asserted), IsOk());
  asserted = AssertionOf(bobs_, Request(2 * kMiB));
  EXPECT_THAT(pool_->Assert(kBob, asserted), IsOk());
  EXPECT_EQ(pool_->stats().live_buffers, 1u);
}

TEST(ChannelNameTest, TakesBackOnlyWhatItMade) {
  const std::string name = ChannelBufferName("a/b", {1, 2});
  EXPECT_THAT(ValidateGivenName(name), IsOk());
  EXPECT_THAT(ValidateGivenName("plain"), IsOk());
  for (const std::string& wrong :
       {name + "0", name.substr(0, name.size() - 1), std::string("channel:"),
        "channel:" + RandomId().ToHex(), std::string("channel:x"),
        std::string("channel::") + RandomId().ToHex(),
        std::string("channel:a b:") + RandomId().ToHex(), std::string("x:y")}) {
    EXPECT_THAT(ValidateGivenName(wrong),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << wrong;
  }
  EXPECT_EQ(ChannelOf("channel"), "");
  EXPECT_EQ(ChannelOf("unnamed-1"), "");
  EXPECT_EQ(ChannelOf("channel:frames"), "");
}

}  // namespace
}  // namespace warmpool
