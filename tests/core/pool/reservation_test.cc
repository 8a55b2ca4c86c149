// What a request has reserved while its lease waits for memory, and that
// nothing of it is left when the request is given up.
#include "core/pool/reservation.h"

#include <utility>

#include "core/base/byte_size.h"
#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

class ReservationTest : public PoolFixture {
 protected:
  void SetUp() override {
    Pool::Options options = InlineOptions();
    options.segments.capacity_bytes = kMiB;
    options.quota.max_leases = 1;
    Make(options);
  }

  // Keeps what a request reserves whose memory is not ready.
  Reservation Keep(LeaseRequest request) {
    Reservation kept;
    request.if_ready = true;
    EXPECT_THAT(pool_->Lease(kAlice, request, &kept),
                StatusIs(absl::StatusCode::kNotFound));
    EXPECT_FALSE(kept.empty());
    pool_->CheckInvariants();
    return kept;
  }
};

TEST_F(ReservationTest, TheNextCallGoesOnFromIt) {
  const LeaseRequest request = Request(64 * kKiB, "frame");
  Reservation kept = Keep(request);
  const absl::StatusOr<LeaseGrant> grant = pool_->Lease(kAlice, request, &kept);
  ASSERT_THAT(grant, IsOk());
  EXPECT_EQ(grant->buffer_name, "frame");
  EXPECT_TRUE(kept.empty());
  pool_->CheckInvariants();
  EXPECT_EQ(pool_->stats().live_leases, 1u);
  EXPECT_THAT(Release(kAlice, *grant), IsOk());
}

TEST_F(ReservationTest, MeanwhileItsRequestIdNameAndQuotaAreTaken) {
  const LeaseRequest request = Request(64 * kKiB, "frame");
  const Reservation kept = Keep(request);
  EXPECT_THAT(Lease(kAlice, request), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(Lease(kBob, Request(64 * kKiB, "frame")),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       HasSubstr("is being leased by another request")));
  EXPECT_THAT(Lease(kBob, Request(64 * kKiB, "another")),
              StatusIs(absl::StatusCode::kResourceExhausted));
  // Other uids have limits and names of their own.
  EXPECT_THAT(Lease(kCarol, Request(64 * kKiB, "frame")), IsOk());
}

TEST_F(ReservationTest, GivenUpItLeavesNothing) {
  const LeaseRequest request = Request(64 * kKiB, "frame");
  const Standing before = standing();
  { const Reservation kept = Keep(request); }
  EXPECT_EQ(standing(), before);
  EXPECT_THAT(Lease(kAlice, request), IsOk());
}

TEST_F(ReservationTest, GivenUpItsBytesCountNoMore) {
  Pool::Options options = InlineOptions();
  options.quota.max_bytes = 64 * kKiB;
  Make(options);
  const LeaseRequest request = Request(64 * kKiB, "frame");
  {
    const Reservation kept = Keep(request);
    EXPECT_THAT(Lease(kBob, Request(4 * kKiB)),
                StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_THAT(Lease(kAlice, request), IsOk());
}

TEST_F(ReservationTest, AMoveLeavesOneOwner) {
  const LeaseRequest request = Request(64 * kKiB, "frame");
  Reservation kept = Keep(request);
  Reservation moved = std::move(kept);
  EXPECT_TRUE(kept.empty());
  // Assigning gives up what was there.
  moved = Reservation();
  EXPECT_THAT(Lease(kAlice, request), IsOk());
}

TEST_F(ReservationTest, ARefusalForGoodKeepsNothing) {
  Reservation kept;
  EXPECT_THAT(pool_->Lease(kAlice, Request(2 * kMiB, "frame"), &kept),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(kept.empty());
  EXPECT_THAT(Lease(kAlice, Request(64 * kKiB, "frame")), IsOk());
}

TEST_F(ReservationTest, ALackOfRoomKeepsItForAnotherTry) {
  const LeaseGrant large = LeaseOrDie(kCarol, kMiB);
  LeaseRequest request = Request(64 * kKiB, "frame");
  request.is_last_try = false;
  Reservation kept;
  EXPECT_THAT(pool_->Lease(kAlice, request, &kept),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_FALSE(kept.empty());
  EXPECT_THAT(Release(kCarol, large), IsOk());
  request.is_last_try = true;
  EXPECT_THAT(pool_->Lease(kAlice, request, &kept), IsOk());
}

TEST_F(ReservationTest, ItsHolderMayGoMeanwhile) {
  const LeaseRequest request = Request(64 * kKiB, "frame");
  Reservation kept = Keep(request);
  pool_->RemoveHolder(kAlice);
  EXPECT_THAT(pool_->Lease(kAlice, request, &kept),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(kept.empty());
  EXPECT_THAT(Lease(kBob, Request(64 * kKiB, "frame")), IsOk());
}

TEST_F(ReservationTest, ItDoesNotOutliveADrain) {
  const LeaseRequest request = Request(64 * kKiB, "frame");
  Reservation kept = Keep(request);
  pool_->Drain();
  EXPECT_THAT(pool_->Lease(kAlice, request, &kept),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(kept.empty());
  pool_->CheckInvariants();
}

}  // namespace
}  // namespace warmpool
