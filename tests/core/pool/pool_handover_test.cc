// Buffers that go from one holder to another: sealed, by a ticket, or left
// behind for those who come later.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class PoolHandoverTest : public PoolFixture {
 protected:
  PoolHandoverTest() { Make(InlineOptions()); }

  absl::Status Seal(HolderId holder, const LeaseGrant& lease,
                    absl::Duration linger = absl::ZeroDuration()) {
    const absl::Status sealed =
        pool_->Seal(holder, {lease.id, 0}, {linger, {}});
    pool_->CheckInvariants();
    return sealed;
  }

  AttachRequest Read(const std::string& name) {
    AttachRequest request = AttachTo(name);
    request.access = Access::kReadOnly;
    return request;
  }

  absl::StatusOr<LeaseGrant> Attach(HolderId holder,
                                    const AttachRequest& request) {
    auto grant = pool_->Attach(holder, request);
    pool_->CheckInvariants();
    return grant;
  }

  // What a test waits with: counts how often it was woken.
  struct Waiting {
    int woken = 0;
    AttachWait For(absl::Time until) {
      return {this, until, [this] { ++woken; }};
    }
  };

  bool Waits(HolderId holder, const AttachRequest& request, Waiting* waiting,
             absl::Duration patience = absl::Seconds(10)) {
    AttachWait wait = waiting->For(clock_.Now() + patience);
    const bool waits = !pool_->AttachOrWait(holder, request, &wait).has_value();
    pool_->CheckInvariants();
    return waits;
  }

  absl::StatusOr<absl::Duration> MakeTicket(HolderId holder,
                                            const LeaseGrant& lease) {
    auto made = pool_->MakeTicket(holder, {lease.id, 0}, ticket_, std::nullopt);
    pool_->CheckInvariants();
    return made;
  }

  absl::StatusOr<LeaseGrant> Claim(HolderId holder) {
    auto grant = pool_->Claim(
        holder, {random_.Next(), ClientId(), ticket_, std::nullopt});
    pool_->CheckInvariants();
    return grant;
  }

  const LeaseId ticket_ = random_.Next();
};

TEST_F(PoolHandoverTest, ASealedBufferIsAttachedToForReading) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(kAlice, lease), IsOk());
  const absl::StatusOr<LeaseGrant> view = Attach(kBob, Read("frames"));
  ASSERT_THAT(view, IsOk());
  EXPECT_TRUE(view->sealed);
  EXPECT_EQ(view->access, Access::kReadOnly);
  EXPECT_EQ(view->path, lease.path);
  EXPECT_THAT(
      Attach(kBob, AttachTo("frames")),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is sealed")));
  EXPECT_THAT(Seal(kAlice, lease), IsOk()) << "a repetition";
}

// A holder may use a lease again, for another size, and tell of it later.
TEST_F(PoolHandoverTest, WhatItsHolderAskedForLastIsTheSizeOfASealedBuffer) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 5'300'000, "frames");
  SealRequest request;
  request.bytes = lease.segment_bytes + 1;
  EXPECT_THAT(pool_->Seal(kAlice, {lease.id, 0}, request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("its segment has")));
  request.bytes = 6'220'800;
  const auto watch = pool_->Watch(kAlice, "", [] {}).value();
  ASSERT_THAT(pool_->Seal(kAlice, {lease.id, 0}, request), IsOk());
  EXPECT_EQ(Attach(kBob, Read("frames"))->bytes, 6'220'800u);
  EXPECT_EQ(pool_->ListAll().front().bytes, 6'220'800u);
  // The first tells where the stream begins.
  (void)watch->Next();
  EXPECT_EQ(watch->Next()->bytes, 6'220'800u);
  request.bytes = 1;
  EXPECT_THAT(pool_->Seal(kAlice, {lease.id, 0}, request), IsOk());
  EXPECT_EQ(Attach(kBob, Read("frames"))->bytes, 6'220'800u)
      << "a repetition changes nothing";
}

TEST_F(PoolHandoverTest, WhatItsHolderAskedForLastIsTheSizeOfAClaimedBuffer) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 5'300'000);
  EXPECT_THAT(pool_->MakeTicket(kAlice, {lease.id, 0}, ticket_, std::nullopt,
                                lease.segment_bytes + 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(pool_->MakeTicket(kAlice, {lease.id, 0}, ticket_, std::nullopt,
                                6'220'800),
              IsOk());
  EXPECT_EQ(Claim(kBob)->bytes, 6'220'800u);
}

TEST_F(PoolHandoverTest, ARenewalTellsTheSizeBeforeOthersHaveTheBuffer) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 5'300'000, "frames");
  EXPECT_THAT(pool_->Renew(kAlice, {lease.id, 0}, std::nullopt,
                           lease.segment_bytes + 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(pool_->Renew(kAlice, {lease.id, 0}, std::nullopt, 6'220'800),
              IsOk());
  pool_->CheckInvariants();
  EXPECT_EQ(Attach(kBob, AttachTo("frames"))->bytes, 6'220'800u);
  ASSERT_THAT(pool_->Renew(kAlice, {lease.id, 0}, std::nullopt, 5'300'000),
              IsOk());
  EXPECT_EQ(Attach(kBob, AttachTo("frames"))->bytes, 6'220'800u)
      << "others were told";
}

TEST_F(PoolHandoverTest, ABufferThatIsNotSealedIsNotRead) {
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_THAT(
      Attach(kBob, Read("frames")),
      StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("not sealed")));
  EXPECT_THAT(Attach(kBob, Read("nobody")),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PoolHandoverTest, AWriterForbidsASeal) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  const int fd = open(lease.path.c_str(), O_RDWR);
  EXPECT_THAT(Seal(kAlice, lease),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("for writing")));
  EXPECT_THAT(Attach(kBob, Read("frames")),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  close(fd);
  EXPECT_THAT(Seal(kAlice, lease), IsOk());
}

TEST_F(PoolHandoverTest, AnotherLeaseForbidsASeal) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  const LeaseGrant other = AttachOrDie(kBob, "frames");
  EXPECT_THAT(Seal(kAlice, lease),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Seal(kBob, lease), StatusIs(absl::StatusCode::kPermissionDenied));
  ASSERT_THAT(Release(kBob, other), IsOk());
  EXPECT_THAT(Seal(kAlice, lease), IsOk());
}

TEST_F(PoolHandoverTest, ASealedBufferIsReusedLikeAnyOther) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(kAlice, lease), IsOk());
  ASSERT_THAT(Release(kAlice, lease), IsOk());
  const LeaseGrant again = LeaseOrDie(kBob, 4096);
  EXPECT_EQ(again.path, lease.path);
  EXPECT_EQ(again.warmth, Warmth::kWarm);
  EXPECT_FALSE(again.sealed);
  const int fd = open(again.path.c_str(), O_RDWR);
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST_F(PoolHandoverTest, AReaderKeepsTheBufferThatItsProducerGaveBack) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(kAlice, lease), IsOk());
  const LeaseGrant view = Attach(kBob, Read("frames")).value();
  pool_->RemoveHolder(kAlice);
  EXPECT_EQ(In(ByteState::kLeased), 4096u);
  EXPECT_EQ(Attach(kBob, Read("frames"))->path, view.path);
}

TEST_F(PoolHandoverTest, WhoWaitsIsWokenByTheSealAlone) {
  Waiting waiting, elsewhere;
  const AttachRequest request = Read("frames");
  ASSERT_TRUE(Waits(kBob, request, &waiting));
  ASSERT_TRUE(Waits(kBob, Read("others"), &elsewhere));
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_EQ(waiting.woken, 0);
  ASSERT_THAT(Seal(kAlice, lease), IsOk());
  EXPECT_EQ(waiting.woken, 1);
  EXPECT_EQ(elsewhere.woken, 0);
  EXPECT_THAT(Attach(kBob, request), IsOk());
  EXPECT_EQ(pool_->stats().waiting, 1u);
  EXPECT_TRUE(pool_->CancelWait(&elsewhere));
  EXPECT_FALSE(pool_->CancelWait(&waiting));
}

TEST_F(PoolHandoverTest, WhoWantsToWriteWaitsForTheBufferToBeThere) {
  Waiting waiting;
  ASSERT_TRUE(Waits(kBob, AttachTo("frames"), &waiting));
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_EQ(waiting.woken, 1);
}

TEST_F(PoolHandoverTest, AnotherUidsSealWakesNobody) {
  Waiting waiting;
  ASSERT_TRUE(Waits(kCarol, Read("frames"), &waiting));
  ASSERT_THAT(Seal(kAlice, LeaseOrDie(kAlice, 4096, "frames")), IsOk());
  EXPECT_EQ(waiting.woken, 0);
  EXPECT_TRUE(pool_->CancelWait(&waiting));
}

TEST_F(PoolHandoverTest, AWaitEndsAtItsDeadline) {
  Waiting waiting;
  const AttachRequest request = Read("frames");
  ASSERT_TRUE(Waits(kBob, request, &waiting, absl::Seconds(3)));
  EXPECT_LE(pool_->Tick(), clock_.Now() + absl::Seconds(3));
  clock_.Advance(absl::Seconds(3));
  pool_->Tick();
  EXPECT_EQ(waiting.woken, 1);
  AttachWait over = waiting.For(clock_.Now());
  EXPECT_THAT(*pool_->AttachOrWait(kBob, request, &over),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PoolHandoverTest, DrainingAndDeathEndAllWaits) {
  Waiting dies, drained;
  ASSERT_TRUE(Waits(kAlice, Read("frames"), &dies));
  ASSERT_TRUE(Waits(kBob, Read("frames"), &drained));
  pool_->RemoveHolder(kAlice);
  EXPECT_EQ(dies.woken, 1);
  EXPECT_EQ(drained.woken, 0);
  pool_->Drain();
  EXPECT_EQ(drained.woken, 1);
  AttachWait wait = drained.For(absl::InfiniteFuture());
  EXPECT_THAT(*pool_->AttachOrWait(kBob, Read("frames"), &wait),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(PoolHandoverTest, ATicketMakesItsClaimerTheOnlyHolder) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(MakeTicket(kAlice, lease), IsOk());
  EXPECT_THAT(MakeTicket(kAlice, lease), IsOk()) << "a repetition";
  EXPECT_THAT(Release(kAlice, lease),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("handed over")));
  EXPECT_THAT(Attach(kBob, AttachTo("frames")),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  const absl::StatusOr<LeaseGrant> claimed = Claim(kBob);
  ASSERT_THAT(claimed, IsOk());
  EXPECT_EQ(claimed->path, lease.path);
  EXPECT_EQ(claimed->access, Access::kSharedWritable);
  EXPECT_GT(claimed->generation, lease.generation);
  EXPECT_THAT(Claim(kBob), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Release(kBob, *claimed), IsOk());
  EXPECT_EQ(In(ByteState::kLeased), 0u);
}

TEST_F(PoolHandoverTest, ARepeatedClaimGetsTheSameLease) {
  ASSERT_THAT(MakeTicket(kAlice, LeaseOrDie(kAlice, 4096)), IsOk());
  const ClaimRequest request = {random_.Next(), ClientId(), ticket_,
                                std::nullopt};
  const LeaseGrant claimed = pool_->Claim(kBob, request).value();
  EXPECT_EQ(pool_->Claim(kBob, request)->id, claimed.id);
}

TEST_F(PoolHandoverTest, ATicketOutlivesWhoMadeItAndExpires) {
  ASSERT_THAT(MakeTicket(kAlice, LeaseOrDie(kAlice, 4096, "frames")), IsOk());
  pool_->RemoveHolder(kAlice);
  EXPECT_EQ(In(ByteState::kLeased), 4096u);
  clock_.Advance(kDefaultTicketTtl);
  pool_->Tick();
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  EXPECT_EQ(In(ByteState::kRetained), 4096u);
  EXPECT_THAT(Claim(kBob), StatusIs(absl::StatusCode::kFailedPrecondition,
                                    HasSubstr("expired")));
}

TEST_F(PoolHandoverTest, NobodyClaimsWhatSomebodyStillHasMapped) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096);
  const int fd = open(lease.path.c_str(), O_RDWR);
  ASSERT_THAT(MakeTicket(kAlice, lease), IsOk());
  EXPECT_THAT(Claim(kBob), StatusIs(absl::StatusCode::kFailedPrecondition,
                                    HasSubstr("stays good")));
  close(fd);
  EXPECT_THAT(Claim(kBob), IsOk());
}

TEST_F(PoolHandoverTest, WhatASealThatFailedLeftBehindIsNotTheClaimers) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096);
  const int writer = open(lease.path.c_str(), O_RDWR);
  // The third one is in the undoing, which then leaves the file read-only.
  calls_.FailNth(SystemCalls::Call::kFstat, 3, EIO);
  EXPECT_THAT(Seal(kAlice, lease), Not(IsOk()));
  close(writer);
  ASSERT_THAT(MakeTicket(kAlice, lease), IsOk());
  ASSERT_THAT(Claim(kBob), IsOk());
  struct stat file {};
  ASSERT_EQ(stat(lease.path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
}

TEST_F(PoolHandoverTest, AnotherUidClaimsNothing) {
  ASSERT_THAT(MakeTicket(kAlice, LeaseOrDie(kAlice, 4096)), IsOk());
  EXPECT_THAT(Claim(kCarol), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(Claim(kBob), IsOk());
}

TEST_F(PoolHandoverTest, AnExpiredTicketSaysWhatHelps) {
  ASSERT_THAT(MakeTicket(kAlice, LeaseOrDie(kAlice, 4096)), IsOk());
  TickAfter(kDefaultTicketTtl);
  EXPECT_THAT(
      Claim(kBob),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("ticket " + ticket_.ToHex()),
                     HasSubstr("make another one"), Not(HasSubstr("renew")))));
}

TEST_F(PoolHandoverTest, AClaimedTicketSaysThatItWasClaimed) {
  ASSERT_THAT(MakeTicket(kAlice, LeaseOrDie(kAlice, 4096)), IsOk());
  ASSERT_THAT(Claim(kBob), IsOk());
  EXPECT_THAT(Claim(kBob), StatusIs(absl::StatusCode::kFailedPrecondition,
                                    HasSubstr("was claimed before")));
}

TEST_F(PoolHandoverTest, ATimeThatIsTooLongIsRefusedAndNotCut) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096);
  for (const absl::Duration ttl :
       {absl::Hours(48), absl::InfiniteDuration(), -absl::Seconds(1)}) {
    EXPECT_THAT(
        pool_->MakeTicket(kAlice, {lease.id, 0}, ticket_, ttl),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("up to 24h")));
    EXPECT_THAT(
        Seal(kAlice, lease, ttl),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 and 24h")));
  }
  EXPECT_EQ(pool_->MakeTicket(kAlice, {lease.id, 0}, ticket_, absl::Hours(24))
                .value(),
            absl::Hours(24));
}

TEST_F(PoolHandoverTest, NobodyIsAdvisedToWriteToWhatIsNotSealed) {
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_THAT(Attach(kBob, Read("frames")),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr("is not sealed yet"), HasSubstr("wait"),
                             HasSubstr("ask its producer"),
                             Not(HasSubstr("writable")))));
}

// What no process has is listed with who made it, and its ordinary end is no
// expiry.
TEST_F(PoolHandoverTest, TicketsAndLingeringBuffersAreTheirMakers) {
  ASSERT_THAT(MakeTicket(kAlice, LeaseOrDie(kAlice, 4096, "given")), IsOk());
  const LeaseGrant sealed = LeaseOrDie(kBob, 8192, "sealed");
  ASSERT_THAT(Seal(kBob, sealed, absl::Seconds(10)), IsOk());
  ASSERT_THAT(Release(kBob, sealed), IsOk());
  const std::vector<UnheldLease> unheld = pool_->UnheldLeases(std::nullopt, 10);
  ASSERT_EQ(unheld.size(), 2u);
  EXPECT_EQ(unheld[0].buffer_name, "sealed");
  EXPECT_FALSE(unheld[0].is_ticket);
  EXPECT_EQ(unheld[0].bytes, 8192u);
  EXPECT_EQ(unheld[0].maker.pid, 102);
  EXPECT_EQ(unheld[0].ttl_left, absl::Seconds(10));
  EXPECT_EQ(unheld[1].buffer_name, "given");
  EXPECT_TRUE(unheld[1].is_ticket);
  EXPECT_EQ(unheld[1].maker.command, "alice");
  EXPECT_EQ(pool_->UnheldLeases(std::nullopt, 1).size(), 1u);
  EXPECT_EQ(pool_->UnheldLeases(1000, 10).size(), 2u);
  EXPECT_TRUE(pool_->UnheldLeases(2000, 10).empty());
  EXPECT_EQ(pool_->stats().live_tickets, (UnheldCount{1, 4096}));
  EXPECT_EQ(pool_->stats().live_lingering, (UnheldCount{1, 8192}));

  TickAfter(kDefaultTicketTtl);
  const Pool::Stats stats = pool_->stats();
  EXPECT_EQ(stats.live_leases, 0u);
  EXPECT_EQ(stats.unclaimed, 1u);
  EXPECT_EQ(stats.linger_ended, 1u);
  EXPECT_EQ(stats.expired, 0u);
  EXPECT_EQ(stats.live_tickets, UnheldCount());
  EXPECT_EQ(stats.live_lingering, UnheldCount());
}

TEST_F(PoolHandoverTest, ManyTicketsAreListedInSeveralLooks) {
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(pool_
                    ->MakeTicket(kAlice, {LeaseOrDie(kAlice, 4096).id, 0},
                                 random_.Next(), std::nullopt)
                    .ok());
  }
  EXPECT_EQ(pool_->UnheldLeases(std::nullopt, 10).size(), 10u);
  EXPECT_EQ(pool_->UnheldLeases(1000, 1000).size(), 600u);
}

TEST_F(PoolHandoverTest, ALeaseIsNoTicket) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096);
  EXPECT_THAT(
      pool_->Claim(kBob, {random_.Next(), ClientId(), lease.id, std::nullopt}),
      StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(pool_->MakeTicket(kAlice, {lease.id, 0}, lease.id, std::nullopt),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

// Clients choose the ids of their requests, so one may equal a lease's id.
TEST_F(PoolHandoverTest, AHeldLeaseIsNoTicketWhateverItsRequestId) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096);
  LeaseRequest request = Request(4096);
  request.request_id = lease.id;
  const LeaseGrant other = Lease(kAlice, request).value();
  EXPECT_THAT(pool_->MakeTicket(kAlice, {lease.id, 0}, other.id, std::nullopt),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(PoolHandoverTest, WhatIsSealedOrSharedBecomesNoTicket) {
  const LeaseGrant sealed = LeaseOrDie(kAlice, 4096, "sealed");
  ASSERT_THAT(Seal(kAlice, sealed), IsOk());
  EXPECT_THAT(MakeTicket(kAlice, sealed),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  const LeaseGrant shared = LeaseOrDie(kAlice, 4096, "shared");
  AttachOrDie(kBob, "shared");
  EXPECT_THAT(MakeTicket(kAlice, shared),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(PoolHandoverTest, ASealedBufferLingersAfterItsProducer) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(kAlice, lease, absl::Seconds(30)), IsOk());
  pool_->RemoveHolder(kAlice);
  pool_->CheckInvariants();
  EXPECT_EQ(In(ByteState::kLeased), 4096u);
  clock_.Advance(absl::Seconds(29));
  pool_->Tick();
  EXPECT_THAT(LeaseOrDie(kBob, 4096).path, testing::Ne(lease.path));
  EXPECT_THAT(
      Lease(kBob, Request(4096, "frames")),
      StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("lingered")));
  const LeaseGrant view = Attach(kBob, Read("frames")).value();
  clock_.Advance(absl::Seconds(1));
  pool_->Tick();
  EXPECT_THAT(Attach(kBob, Read("frames")), IsOk()) << "a reader keeps it";
  pool_->RemoveHolder(kBob);
  EXPECT_EQ(In(ByteState::kLeased), 0u);
}

TEST_F(PoolHandoverTest, ALingeringBufferEndsWithItsTime) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(kAlice, lease, absl::Seconds(30)), IsOk());
  ASSERT_THAT(Release(kAlice, lease), IsOk());
  clock_.Advance(absl::Seconds(30));
  pool_->Tick();
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  EXPECT_EQ(In(ByteState::kRetained), 4096u);
}

TEST_F(PoolHandoverTest, WhoWatchesIsToldOfASeal) {
  const auto watch = pool_->Watch(kBob, "frames", [] {}).value();
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(Seal(kAlice, lease), IsOk());
  ASSERT_THAT(Release(kAlice, lease), IsOk());
  std::vector<BufferEvents::Kind> told;
  while (const auto event = watch->Next()) told.push_back(event->kind);
  EXPECT_THAT(told, testing::ElementsAre(BufferEvents::Kind::kResync,
                                         BufferEvents::Kind::kCreated,
                                         BufferEvents::Kind::kSealed,
                                         BufferEvents::Kind::kEnded));
}

TEST_F(PoolHandoverTest, TicketsAreListedWithoutAHolder) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  ASSERT_THAT(MakeTicket(kAlice, lease), IsOk());
  const std::vector<BufferListing> all = pool_->ListAll();
  ASSERT_EQ(all.size(), 1u);
  ASSERT_EQ(all[0].leases.size(), 1u);
  EXPECT_EQ(all[0].leases[0].kind, LeaseKind::kTicket);
  EXPECT_EQ(all[0].leases[0].holder.pid, 0);
}

}  // namespace
}  // namespace warmpool
