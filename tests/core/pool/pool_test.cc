// Leasing, naming, attaching, repeating: how leases come to be.
#include "core/pool/pool.h"

#include <errno.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/lease/lease_names.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AllOf;
using ::testing::HasSubstr;

class PoolTest : public PoolFixture {
 protected:
  PoolTest() { Make(InlineOptions()); }

  // A request that is refused so, and leaves everything as it was.
  template <typename Matcher>
  void ExpectRefused(HolderId holder, const LeaseRequest& request,
                     const Matcher& matcher) {
    const Standing before = standing();
    EXPECT_THAT(Lease(holder, request), matcher);
    EXPECT_EQ(standing(), before);
  }
};

TEST_F(PoolTest, ALeaseTellsAllThatItsHolderNeeds) {
  LeaseRequest request = Request(100'000, "frames");
  request.ttl = absl::Seconds(30);
  const LeaseGrant grant = Lease(kAlice, request).value();
  EXPECT_NE(grant.id, LeaseId());
  EXPECT_NE(grant.generation, 0u);
  EXPECT_EQ(grant.buffer_name, "frames");
  EXPECT_EQ(grant.bytes, 100'000u);
  EXPECT_EQ(grant.segment_bytes, 112 * kKiB);
  EXPECT_EQ(grant.page_bytes, kPageSize);
  EXPECT_EQ(grant.warmth, Warmth::kFresh);
  EXPECT_TRUE(grant.zeroed);
  EXPECT_EQ(grant.ttl, absl::Seconds(30));
  EXPECT_EQ(grant.access, Access::kSharedWritable);

  struct stat file;
  ASSERT_EQ(stat(grant.path.c_str(), &file), 0);
  EXPECT_EQ(static_cast<uint64_t>(file.st_size), grant.segment_bytes);
  EXPECT_EQ(static_cast<uint64_t>(file.st_blocks) * 512, grant.segment_bytes);
  EXPECT_EQ(In(ByteState::kLeased), grant.segment_bytes);
}

TEST_F(PoolTest, IdsAndGenerationsAreNeverGivenTwice) {
  const LeaseGrant first = LeaseOrDie(kAlice, 4096, "a");
  ASSERT_THAT(Release(kAlice, first), IsOk());
  const LeaseGrant second = LeaseOrDie(kAlice, 4096, "a");
  EXPECT_EQ(second.path, first.path) << "the same segment";
  EXPECT_NE(second.id, first.id);
  EXPECT_GT(second.generation, first.generation);
}

TEST_F(PoolTest, BuffersWithoutANameGetOneEach) {
  const LeaseGrant first = LeaseOrDie(kAlice, 4096);
  const LeaseGrant second = LeaseOrDie(kAlice, 4096);
  EXPECT_NE(first.buffer_name, second.buffer_name);
  EXPECT_THAT(ValidateBufferName(first.buffer_name), IsOk());
  EXPECT_EQ(AttachOrDie(kBob, first.buffer_name).path, first.path);
}

TEST_F(PoolTest, ANameIsOneHoldersAtATimeWithinItsUid) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "frames");
  ExpectRefused(kBob, Request(4096, "frames"),
                StatusIs(absl::StatusCode::kAlreadyExists,
                         AllOf(HasSubstr("pid 101"), HasSubstr("alice"))));
  EXPECT_EQ(LeaseOrDie(kCarol, 4096, "frames").buffer_name, "frames")
      << "another uid has names of its own";
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  LeaseOrDie(kBob, 4096, "frames");
  EXPECT_EQ(pool_->stats().refused_name_taken, 1u);
}

TEST_F(PoolTest, ANameIsTakenFromTheMomentOfTheRequest) {
  std::optional<absl::Status> second;
  calls_.BeforeNext(Call::kFallocate, [&] {
    second = pool_->Lease(kBob, Request(4096, "frames")).status();
  });
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_THAT(*second, StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(PoolTest, ANameIsFreeAgainAfterARefusal) {
  calls_.FailNext(Call::kOpen, EACCES);
  EXPECT_THAT(Lease(kAlice, Request(4096, "frames")), testing::Not(IsOk()));
  LeaseOrDie(kBob, 4096, "frames");
}

TEST_F(PoolTest, ARepeatedRequestGetsTheSameLease) {
  const LeaseRequest request = Request(4096, "frames");
  const LeaseGrant grant = Lease(kAlice, request).value();
  const Standing before = standing();
  const LeaseGrant again = Lease(kAlice, request).value();
  EXPECT_EQ(again.id, grant.id);
  EXPECT_EQ(again.path, grant.path);
  EXPECT_EQ(again.generation, grant.generation);
  EXPECT_EQ(again.zeroed, grant.zeroed);
  EXPECT_EQ(standing(), before);
  EXPECT_EQ(pool_->stats().replayed, 1u);
}

TEST_F(PoolTest, ARepeatedRequestWithoutANameGetsTheSameLeaseToo) {
  const LeaseRequest request = Request(4096);
  const LeaseGrant grant = Lease(kAlice, request).value();
  EXPECT_EQ(Lease(kAlice, request)->id, grant.id);
  EXPECT_EQ(Lease(kAlice, request)->buffer_name, grant.buffer_name);
}

TEST_F(PoolTest, ARequestIdIsItsHoldersOwn) {
  const LeaseRequest request = Request(4096);
  const LeaseGrant alices = Lease(kAlice, request).value();
  const LeaseGrant bobs = Lease(kBob, request).value();
  EXPECT_NE(alices.id, bobs.id);
}

TEST_F(PoolTest, ARefusedRequestMayBeRepeatedWithTheSameId) {
  const LeaseRequest request = Request(4096);
  calls_.FailNext(Call::kOpen, EACCES);
  EXPECT_THAT(Lease(kAlice, request), testing::Not(IsOk()));
  EXPECT_THAT(Lease(kAlice, request), IsOk());
}

TEST_F(PoolTest, ARequestRepeatedAfterItsLeaseEndedSaysSo) {
  const LeaseRequest request = Request(4096);
  const LeaseGrant grant = Lease(kAlice, request).value();
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_THAT(Lease(kAlice, request),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("was released")));
}

TEST_F(PoolTest, ARequestRepeatedWhileItIsUnderWayIsTurnedBack) {
  const LeaseRequest request = Request(4096);
  std::optional<absl::Status> again;
  calls_.BeforeNext(Call::kFallocate,
                    [&] { again = pool_->Lease(kAlice, request).status(); });
  EXPECT_THAT(Lease(kAlice, request), IsOk());
  EXPECT_THAT(*again, StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(pool_->stats().live_leases, 1u);
}

TEST_F(PoolTest, BadRequestsLeaveNothingBehind) {
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  ExpectRefused(kAlice, Request(0), invalid);
  ExpectRefused(kAlice, Request(UINT64_MAX), invalid);
  ExpectRefused(kAlice, Request(4096, "two words"), invalid);
  LeaseRequest request = Request(4096);
  request.name = "";
  ExpectRefused(kAlice, request, invalid);
  request = Request(4096);
  request.ttl = -absl::Seconds(1);
  ExpectRefused(kAlice, request,
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("ttl -1s is negative")));
  EXPECT_EQ(pool_->stats().refused_invalid, 5u);
}

TEST_F(PoolTest, AStrangerGetsNothing) {
  const auto gone =
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("process is gone"));
  ExpectRefused(/*holder=*/99, Request(4096), gone);
  EXPECT_THAT(pool_->Attach(99, AttachTo("frames")), gone);
  EXPECT_THAT(pool_->List(99, {}, 10, ""), gone);
}

TEST_F(PoolTest, CountsRefusalsByTheirCause) {
  pool_->RecordRefused(/*holder=*/1, /*bytes=*/0,
                       absl::InvalidArgumentError(""));
  pool_->RecordRefused(/*holder=*/1, /*bytes=*/0,
                       absl::ResourceExhaustedError(""));
  pool_->RecordRefused(/*holder=*/1, /*bytes=*/0, absl::AlreadyExistsError(""));
  pool_->RecordRefused(/*holder=*/1, /*bytes=*/0, absl::UnavailableError(""));
  pool_->RecordRefused(/*holder=*/1, /*bytes=*/0, absl::NotFoundError(""));
  pool_->RecordRefused(/*holder=*/1, /*bytes=*/0, absl::InternalError(""));
  const Pool::Stats stats = pool_->stats();
  EXPECT_EQ(stats.refused_invalid, 1u);
  EXPECT_EQ(stats.refused_exhausted, 1u);
  EXPECT_EQ(stats.refused_name_taken, 1u);
  EXPECT_EQ(stats.refused_draining, 1u);
  EXPECT_EQ(stats.refused_other, 2u);
}

TEST_F(PoolTest, TheTimeToLiveIsTheDefaultUnlessAskedForAndCutToTheLongest) {
  Pool::Options options = InlineOptions();
  options.default_ttl = absl::Seconds(60);
  options.max_ttl = absl::Hours(1);
  Make(options);
  EXPECT_EQ(LeaseOrDie(kAlice, 4096).ttl, absl::Seconds(60));
  EXPECT_EQ(LeaseOrDie(kAlice, 4096, "", absl::Seconds(5)).ttl,
            absl::Seconds(5));
  EXPECT_EQ(LeaseOrDie(kAlice, 4096, "", absl::Hours(2)).ttl, absl::Hours(1));
  EXPECT_EQ(LeaseOrDie(kAlice, 4096, "", absl::InfiniteDuration()).ttl,
            absl::Hours(1));
  EXPECT_EQ(LeaseOrDie(kAlice, 4096, "", absl::ZeroDuration()).ttl,
            absl::ZeroDuration())
      << "as long as the process lives";
}

TEST_F(PoolTest, AnAttachedLeaseIsOnTheSameBufferAndCountsItsBytesOnce) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 100'000, "frames");
  const LeaseGrant attached = AttachOrDie(kBob, "frames", absl::Seconds(5));
  EXPECT_NE(attached.id, lease.id);
  EXPECT_EQ(attached.path, lease.path);
  EXPECT_EQ(attached.bytes, lease.bytes);
  EXPECT_EQ(attached.segment_bytes, lease.segment_bytes);
  EXPECT_EQ(attached.generation, lease.generation);
  EXPECT_EQ(attached.ttl, absl::Seconds(5));
  EXPECT_EQ(attached.access, Access::kSharedWritable);
  EXPECT_EQ(attached.warmth, Warmth::kWarm);
  EXPECT_FALSE(attached.zeroed) << "its holders may have written to it";

  const Pool::Stats stats = pool_->stats();
  EXPECT_EQ(stats.live_leases, 2u);
  EXPECT_EQ(stats.live_buffers, 1u);
  EXPECT_EQ(stats.granted_attached, 1u);
  EXPECT_EQ(stats.segments.ledger.in(ByteState::kLeased), lease.segment_bytes);
}

TEST_F(PoolTest, ABufferLivesUntilTheLastOfItsLeases) {
  const LeaseGrant lease = LeaseOrDie(kAlice, 4096, "frames");
  const LeaseGrant attached = AttachOrDie(kBob, "frames");
  ASSERT_THAT(Release(kAlice, lease), IsOk());
  EXPECT_EQ(In(ByteState::kLeased), 4096u);
  EXPECT_EQ(AttachOrDie(kAlice, "frames").path, lease.path);
  ASSERT_THAT(Release(kBob, attached), IsOk());
  pool_->RemoveHolder(kAlice);
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  EXPECT_EQ(In(ByteState::kRetained), 4096u);
}

TEST_F(PoolTest, AttachingNeedsABufferOfTheCallersUid) {
  EXPECT_THAT(pool_->Attach(kBob, AttachTo("frames")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("\"frames\"")));
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_THAT(pool_->Attach(kCarol, AttachTo("frames")),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(pool_->Attach(kAdmin, AttachTo("frames")),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(pool_->Attach(kBob, AttachTo("two words")),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(PoolTest, ABufferThatIsBeingMadeCannotBeAttachedYet) {
  std::optional<absl::Status> attached;
  calls_.BeforeNext(Call::kFallocate, [&] {
    attached = pool_->Attach(kBob, AttachTo("frames")).status();
  });
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_THAT(*attached, StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PoolTest, ARepeatedAttachGetsTheSameLease) {
  LeaseOrDie(kAlice, 4096, "frames");
  const AttachRequest request = AttachTo("frames");
  const LeaseGrant attached = pool_->Attach(kBob, request).value();
  EXPECT_EQ(pool_->Attach(kBob, request)->id, attached.id);
  EXPECT_EQ(pool_->stats().live_leases, 2u);
  EXPECT_EQ(pool_->stats().granted_attached, 1u);

  // One that was refused may be repeated once there is such a buffer.
  const AttachRequest early = AttachTo("later");
  EXPECT_THAT(pool_->Attach(kBob, early), testing::Not(IsOk()));
  LeaseOrDie(kAlice, 4096, "later");
  EXPECT_THAT(pool_->Attach(kBob, early), IsOk());
}

TEST_F(PoolTest, WhatIsRetainedMakesRoomBeforeALeaseIsRefused) {
  Pool::Options options = InlineOptions();
  options.segments.capacity_bytes = 4 * kMiB;
  Make(options);
  const LeaseGrant first = LeaseOrDie(kAlice, 2 * kMiB);
  LeaseOrDie(kAlice, kMiB);
  ASSERT_THAT(Release(kAlice, first), IsOk());
  ASSERT_EQ(In(ByteState::kRetained), 2 * kMiB);
  LeaseOrDie(kBob, 3 * kMiB);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  ExpectRefused(kBob, Request(1),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("0 bytes free")));
  EXPECT_EQ(pool_->stats().refused_exhausted, 1u);
}

TEST_F(PoolTest, ZeroedBytesAreZeroed) {
  const LeaseGrant dirty = LeaseOrDie(kAlice, 4096);
  const int fd = open(dirty.path.c_str(), O_WRONLY);
  ASSERT_EQ(write(fd, "secret", 6), 6);
  close(fd);
  ASSERT_THAT(Release(kAlice, dirty), IsOk());

  LeaseRequest request = Request(4096);
  request.require_zeroed = true;
  const LeaseGrant clean = Lease(kAlice, request).value();
  EXPECT_TRUE(clean.zeroed);
  EXPECT_NE(clean.path, dirty.path);
  const LeaseGrant warm = LeaseOrDie(kAlice, 4096);
  EXPECT_EQ(warm.path, dirty.path);
  EXPECT_EQ(warm.warmth, Warmth::kWarm);
  EXPECT_FALSE(warm.zeroed);
}

TEST_F(PoolTest, TakesOverWhatAnEarlierDaemonLeft) {
  Detach(MakeOrDie(*directory_, 64 * kKiB));
  Detach(MakeOrDie(*directory_, 4096));
  std::vector<std::string> unknown;
  std::vector<Segment> leftovers =
      directory_->FindLeftovers(SizeClasses(), &unknown).value();
  EXPECT_EQ(pool_->Recover({}, 7, std::move(leftovers)).leftovers, 2u);
  EXPECT_EQ(In(ByteState::kQuarantined), 68 * kKiB);
  TickAfter(absl::Milliseconds(1));
  pool_->Drain();
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(PoolTest, WhatIsLeasedInTheEndStaysForTheNextDaemon) {
  LeaseOrDie(kAlice, 4096);
  ASSERT_THAT(Release(kAlice, LeaseOrDie(kAlice, 8192)), IsOk());
  pool_.reset();
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{.files = 1}));
}

}  // namespace
}  // namespace warmpool
