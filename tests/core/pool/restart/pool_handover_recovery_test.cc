// What a daemon takes over of buffers that are sealed or on their way from one
// holder to another.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/restart/pool_recovery_fixture.h"

namespace warmpool {
namespace {

using testing::HasSubstr;
using Call = SystemCalls::Call;

class PoolHandoverRecoveryTest : public PoolRecoveryFixture {
 protected:
  absl::Status Seal(const LeaseGrant& lease,
                    absl::Duration linger = absl::ZeroDuration()) {
    return pool_->Seal(kAlice, {lease.id, 0}, {linger, {}});
  }
  absl::StatusOr<absl::Duration> MakeTicket(const LeaseGrant& lease) {
    return pool_->MakeTicket(kAlice, {lease.id, 0}, ticket_, std::nullopt);
  }
  absl::StatusOr<LeaseGrant> Claim() { return pool_->Claim(kBob, claim_); }
  absl::StatusOr<LeaseGrant> Read(const std::string& name) {
    AttachRequest request = AttachTo(name);
    request.access = Access::kReadOnly;
    return pool_->Attach(kBob, request);
  }
  static bool IsWritable(const LeaseGrant& lease) {
    const int fd = open(lease.path.c_str(), O_RDWR);
    if (fd >= 0) close(fd);
    return fd >= 0;
  }

  const LeaseId ticket_ = random_.Next();
  const ClaimRequest claim_ = {random_.Next(), ClientId(), ticket_,
                               std::nullopt};
};

TEST_F(PoolHandoverRecoveryTest, ASealedBufferStaysSealed) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(lease), IsOk());
  EXPECT_EQ(Restart({kAlice, kBob}).leases, 1u);
  EXPECT_THAT(Seal(lease), IsOk()) << "a repetition, as its answer was lost";
  const absl::StatusOr<LeaseGrant> view = Read("frames");
  ASSERT_THAT(view, IsOk());
  EXPECT_TRUE(view->sealed);
  EXPECT_THAT(pool_->Attach(kBob, AttachTo("frames")),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(PoolHandoverRecoveryTest, TheSizeThatWasToldLastIsKept) {
  const LeaseGrant sealed = LeaseOrDie(kAlice, 5'300'000, "sealed");
  ASSERT_THAT(pool_->Seal(kAlice, {sealed.id, 0}, {{}, {}, 6'220'800}), IsOk());
  const LeaseGrant renewed = LeaseOrDie(kAlice, 5'300'000, "renewed");
  ASSERT_THAT(
      pool_->Renew(kAlice, {renewed.id, 0}, absl::Seconds(7), 6'000'000),
      IsOk());
  const LeaseGrant given = LeaseOrDie(kAlice, 5'300'000);
  ASSERT_THAT(pool_->MakeTicket(kAlice, {given.id, 0}, ticket_, std::nullopt,
                                5'900'000),
              IsOk());
  EXPECT_EQ(Restart({kAlice, kBob}).leases, 3u);
  EXPECT_EQ(Read("sealed")->bytes, 6'220'800u);
  const absl::StatusOr<LeaseGrant> attached =
      pool_->Attach(kBob, AttachTo("renewed"));
  ASSERT_THAT(attached, IsOk());
  EXPECT_EQ(attached->bytes, 6'000'000u);
  EXPECT_EQ(Claim()->bytes, 5'900'000u);
}

TEST_F(PoolHandoverRecoveryTest, WhoMadeWhatNoProcessHasIsRemembered) {
  const LeaseGrant sealed = LeaseOrDie(kBob, 8192, "sealed");
  ASSERT_THAT(pool_->Seal(kBob, {sealed.id, 0}, {absl::Seconds(60), {}}),
              IsOk());
  ASSERT_THAT(Release(kBob, sealed), IsOk());
  // Of one whose sealer is gone by then.
  const LeaseGrant orphan = LeaseOrDie(kBob, 16384, "orphan");
  ASSERT_THAT(pool_->Seal(kBob, {orphan.id, 0}, {absl::Seconds(60), {}}),
              IsOk());
  ASSERT_THAT(MakeTicket(LeaseOrDie(kAlice, 4096, "given")), IsOk());
  EXPECT_EQ(Restart({kAlice}).leases, 3u);
  const std::vector<UnheldLease> unheld = pool_->UnheldLeases(std::nullopt, 10);
  ASSERT_EQ(unheld.size(), 3u);
  EXPECT_EQ(unheld[0].buffer_name, "orphan");
  EXPECT_EQ(unheld[0].maker.pid, 102);
  EXPECT_EQ(unheld[1].maker.command, "bob");
  EXPECT_EQ(unheld[2].maker.pid, 101);
  EXPECT_EQ(pool_->stats().live_tickets.leases, 1u);
  EXPECT_EQ(pool_->stats().live_lingering.leases, 2u);
}

TEST_F(PoolHandoverRecoveryTest, ASizeThatCantBeRecordedIsNotTold) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 5'300'000, "frames");
  journal_calls_.FailNext(Call::kWrite, EIO);
  EXPECT_THAT(pool_->Renew(kAlice, {lease.id, 0}, std::nullopt, 6'220'800),
              testing::Not(IsOk()));
  pool_->CheckInvariants();
  EXPECT_EQ(pool_->ListAll().front().bytes, 5'300'000u);
  ASSERT_THAT(pool_->Renew(kAlice, {lease.id, 0}, std::nullopt, 6'220'800),
              IsOk());
  EXPECT_EQ(pool_->ListAll().front().bytes, 6'220'800u);
}

TEST_F(PoolHandoverRecoveryTest, ReadersKeepItSealedWithoutItsProducer) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(lease), IsOk());
  ASSERT_THAT(Read("frames"), IsOk());
  EXPECT_EQ(Restart({kBob}).leases, 1u);
  EXPECT_THAT(Read("frames"), IsOk());
}

TEST_F(PoolHandoverRecoveryTest, ASealThatWasNotRecordedIsMadeAgain) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  // The file was sealed, and then the daemon was killed.
  ASSERT_EQ(chmod(lease.path.c_str(), 0400), 0);
  Restart({kAlice, kBob});
  EXPECT_THAT(Read("frames"), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(Seal(lease), IsOk());
  EXPECT_THAT(Read("frames"), IsOk());
}

TEST_F(PoolHandoverRecoveryTest, ASealThatCantBeRecordedIsNone) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  journal_calls_.FailNext(Call::kWrite, EIO);
  EXPECT_THAT(Seal(lease), testing::Not(IsOk()));
  pool_->CheckInvariants();
  if (geteuid() != 0) {
    EXPECT_TRUE(IsWritable(lease));
  }
  EXPECT_THAT(Read("frames"), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(Seal(lease), IsOk());
}

TEST_F(PoolHandoverRecoveryTest, ClientsAssertSealedBuffers) {
  const LeaseRequest request = Request(4096, "frames");
  LeaseGrant lease = Lease(kAlice, request).value();
  ASSERT_THAT(Seal(lease), IsOk());
  lease.sealed = true;
  lease.access = Access::kReadOnly;
  RestartWithoutJournal();
  EXPECT_THAT(Assert(kAlice, AssertionOf(lease, request)), IsOk());
  EXPECT_THAT(Read("frames"), IsOk());
  AssertedLease writable = AssertionOf(lease, request);
  writable.access = Access::kSharedWritable;
  EXPECT_THAT(Assert(kAlice, writable),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(PoolHandoverRecoveryTest, NobodyAssertsALeaseBesideATicket) {
  const LeaseRequest request = Request(4096, "frames");
  const LeaseGrant lease = Lease(kAlice, request).value();
  ASSERT_THAT(MakeTicket(lease), IsOk());
  // Its answer was lost: the client believes that it has the lease.
  Restart({kAlice, kBob});
  EXPECT_THAT(Assert(kAlice, AssertionOf(lease, request)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Claim(), IsOk());
}

TEST_F(PoolHandoverRecoveryTest, AWritableSegmentIsNotAssertedAsSealed) {
  const LeaseRequest request = Request(4096, "frames");
  LeaseGrant lease = Lease(kAlice, request).value();
  RestartWithoutJournal();
  lease.sealed = true;
  lease.access = Access::kReadOnly;
  EXPECT_THAT(
      Assert(kAlice, AssertionOf(lease, request)),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not sealed")));
}

TEST_F(PoolHandoverRecoveryTest, ATicketOutlivesItsMakerAndTheDaemon) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(MakeTicket(lease), IsOk());
  EXPECT_EQ(Restart({kBob}).leases, 1u);
  const absl::StatusOr<LeaseGrant> claimed = Claim();
  ASSERT_THAT(claimed, IsOk());
  EXPECT_NE(claimed->path, lease.path)
      << "what other leases there were on it is not known any more";
  EXPECT_TRUE(IsWritable(*claimed));
  Restart({kBob});
  EXPECT_EQ(Claim()->id, claimed->id) << "a repetition";
  EXPECT_EQ(pool_->stats().live_leases, 1u);
}

TEST_F(PoolHandoverRecoveryTest, ARepeatedTicketIsMadeOnce) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(MakeTicket(lease), IsOk());
  Restart({kAlice, kBob});
  EXPECT_THAT(MakeTicket(lease), IsOk());
  EXPECT_EQ(pool_->stats().live_leases, 1u);
}

TEST_F(PoolHandoverRecoveryTest, ATicketThatCantBeRecordedIsNone) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  journal_calls_.FailNext(Call::kWrite, EIO);
  EXPECT_THAT(MakeTicket(lease), testing::Not(IsOk()));
  pool_->CheckInvariants();
  EXPECT_THAT(Claim(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(MakeTicket(lease), IsOk());
  journal_calls_.FailNext(Call::kWrite, EIO);
  EXPECT_THAT(Claim(), testing::Not(IsOk()));
  pool_->CheckInvariants();
  EXPECT_THAT(Claim(), IsOk()) << "the ticket stays good";
  Restart({kAlice, kBob});
  EXPECT_EQ(pool_->stats().live_leases, 1u);
}

TEST_F(PoolHandoverRecoveryTest, ABufferLingersAfterADeathThatNoDaemonSaw) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(lease, absl::Seconds(30)), IsOk());
  EXPECT_EQ(Restart({kBob}).leases, 1u);
  EXPECT_THAT(Read("frames"), IsOk());
  EXPECT_EQ(Restart({}).leases, 1u) << "the next daemon keeps it too";
  TickAfter(absl::Seconds(30));
  EXPECT_EQ(In(ByteState::kLeased), 0u);
}

TEST_F(PoolHandoverRecoveryTest, WhatLingersUnrecordedIsNotBesideTheNextLease) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(lease, absl::Seconds(30)), IsOk());
  Stop();
  // Once the journal has begun: the record, and the next attempt at it.
  journal_calls_.BeforeNext(
      Call::kRename, [&] { journal_calls_.FailNext(Call::kWrite, EIO, 2); });
  Start({kBob});
  EXPECT_EQ(journal_calls_.faults(Call::kWrite), 2u);
  TickAfter(absl::Seconds(31));
  // Its segment is another lease's by now.
  ASSERT_EQ(LeaseOrDie(kBob, 4096, "next").warmth, Warmth::kWarm);
  const Recovered recovery = Restart({kBob});
  EXPECT_EQ(recovery.leases, 1u);
  EXPECT_EQ(recovery.ended_leases, 0u);
  ASSERT_EQ(pool_->ListAll().size(), 1u);
  EXPECT_EQ(pool_->ListAll().front().name, "next");
}

TEST_F(PoolHandoverRecoveryTest, ALingeringBufferOutlivesTheDaemon) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(lease, absl::Seconds(30)), IsOk());
  ASSERT_THAT(Release(kAlice, lease), IsOk());
  EXPECT_EQ(Restart({kAlice, kBob}).leases, 1u);
  EXPECT_THAT(Read("frames"), IsOk());
}

}  // namespace
}  // namespace warmpool
