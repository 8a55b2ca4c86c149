#include "core/book/lease_table.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/seeded_random.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LeaseTableTest : public testing::Test {
 protected:
  LeaseTableTest() {
    table_.AddHolder({1, 101, 1000, "render", false});
    table_.AddHolder({2, 102, 1000, "", false});
  }
  ~LeaseTableTest() override {
    for (const LeaseId& id : table_.Leases()) {
      End(id, EndCause::kRevoked);
    }
  }

  LeaseTable::Lease NewLease(HolderId holder, RequestId request,
                             absl::Duration ttl = absl::ZeroDuration()) {
    LeaseTable::Lease lease;
    lease.id = random_.Next();
    lease.holder = holder;
    lease.request_id = request;
    lease.granted_at = clock_.Now();
    lease.ttl = ttl;
    if (ttl > absl::ZeroDuration()) lease.expires_at = clock_.Now() + ttl;
    return lease;
  }

  // A lease on a new buffer that was released. One of very many: a look at all
  // invariants takes too long.
  LeaseId GrantAndRelease(HolderId holder, const std::string& name,
                          LeaseKind kind = LeaseKind::kHeld, uid_t uid = 1000,
                          RequestId* request_used = nullptr) {
    const RequestId request = random_.Next();
    if (request_used != nullptr) *request_used = request;
    EXPECT_EQ(table_.Begin(holder, request).value(), nullptr);
    EXPECT_THAT(table_.ReserveName(uid, name, clock_.Now()), IsOk());
    LeaseTable::Buffer buffer;
    buffer.name = name;
    buffer.uid = uid;
    LeaseTable::Lease lease = NewLease(holder, request);
    lease.kind = kind;
    const LeaseId id = table_.AddBuffer(std::move(buffer), lease).id;
    End(id, EndCause::kReleased);
    return id;
  }

  // All of a request: its lease on a new buffer.
  LeaseId Grant(HolderId holder, const std::string& name,
                absl::Duration ttl = absl::ZeroDuration()) {
    const RequestId request = random_.Next();
    EXPECT_EQ(table_.Begin(holder, request).value(), nullptr);
    EXPECT_THAT(table_.ReserveName(1000, name, clock_.Now()), IsOk());
    LeaseTable::Buffer buffer;
    buffer.name = name;
    buffer.uid = 1000;
    buffer.generation = ++generation_;
    buffer.granted_at = clock_.Now();
    const LeaseId id =
        table_.AddBuffer(std::move(buffer), NewLease(holder, request, ttl)).id;
    table_.CheckInvariants();
    return id;
  }

  LeaseId Attach(HolderId holder, const std::string& name) {
    const RequestId request = random_.Next();
    EXPECT_EQ(table_.Begin(holder, request).value(), nullptr);
    return table_
        .AddLease(table_.FindBuffer(1000, name), NewLease(holder, request))
        .id;
  }

  // All of an end: the segment, if it was its buffer's last lease.
  std::optional<Segment> End(const LeaseId& id, EndCause cause) {
    return table_.Unpin(table_.End(id, cause).buffer);
  }

  // A lease as a daemon takes it over from the one before it.
  LeaseId AttachRecovering(HolderId holder, const std::string& name,
                           const ClientId& client) {
    LeaseTable::Lease lease = NewLease(holder, random_.Next());
    lease.state = LeaseState::kRecovering;
    lease.client_id = client;
    return table_.AddLease(table_.FindBuffer(1000, name), lease).id;
  }

  FakeClock clock_;
  SeededRandom random_{1};
  LeaseTable table_;
  uint64_t generation_ = 0;
};

TEST_F(LeaseTableTest, ABufferLivesAsLongAsItsLastLease) {
  const LeaseId first = Grant(1, "frames");
  const LeaseId second = Attach(2, "frames");
  EXPECT_EQ(table_.buffer_count(), 1u);
  EXPECT_EQ(table_.lease_count(), 2u);

  EXPECT_FALSE(End(first, EndCause::kReleased).has_value());
  EXPECT_NE(table_.FindBuffer(1000, "frames"), nullptr);
  table_.CheckInvariants();
  EXPECT_TRUE(End(second, EndCause::kReleased).has_value());
  EXPECT_EQ(table_.FindBuffer(1000, "frames"), nullptr);
  EXPECT_EQ(table_.buffer_count(), 0u);
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, APinnedBufferKeepsNameAndSegmentWithoutALease) {
  LeaseTable::Buffer* const buffer =
      table_.End(Grant(1, "frames"), EndCause::kReleased).buffer;
  table_.CheckInvariants();
  EXPECT_EQ(table_.FindBuffer(1000, "frames"), nullptr)
      << "nobody attaches to it any more";
  EXPECT_THAT(
      table_.ReserveName(1000, "frames", clock_.Now()),
      StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("being released")));
  table_.Pin(buffer);
  EXPECT_FALSE(table_.Unpin(buffer).has_value());
  EXPECT_EQ(table_.buffer_count(), 1u);
  table_.CheckInvariants();
  EXPECT_TRUE(table_.Unpin(buffer).has_value());
  EXPECT_EQ(table_.buffer_count(), 0u);
  EXPECT_THAT(table_.ReserveName(1000, "frames", clock_.Now()), IsOk());
}

TEST_F(LeaseTableTest, ALeaseAddedToAPinnedBufferKeepsIt) {
  const LeaseId first = Grant(1, "frames");
  LeaseTable::Buffer* const buffer = table_.FindBuffer(1000, "frames");
  table_.Pin(buffer);
  EXPECT_FALSE(End(first, EndCause::kReleased).has_value());
  const LeaseId second =
      table_.AddLease(buffer, NewLease(2, random_.Next())).id;
  EXPECT_FALSE(table_.Unpin(buffer).has_value());
  EXPECT_EQ(table_.FindBuffer(1000, "frames"), buffer);
  table_.CheckInvariants();
  EXPECT_TRUE(End(second, EndCause::kReleased).has_value());
}

TEST_F(LeaseTableTest, ATakenNameTellsWhoHasItAndForHowLong) {
  Grant(1, "frames");
  clock_.Advance(absl::Seconds(90));
  EXPECT_THAT(table_.ReserveName(1000, "frames", clock_.Now()),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       AllOf(HasSubstr("\"frames\""), HasSubstr("pid 101"),
                             HasSubstr("render"), HasSubstr("1m30s"))));
}

TEST_F(LeaseTableTest, ANameIsTakenWhileItsBufferIsBeingMade) {
  ASSERT_THAT(table_.ReserveName(1000, "frames", clock_.Now()), IsOk());
  EXPECT_THAT(table_.ReserveName(1000, "frames", clock_.Now()),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(table_.FindBuffer(1000, "frames"), nullptr);
  EXPECT_EQ(table_.buffer_count(), 0u);
  table_.CheckInvariants();
  table_.AbandonName(1000, "frames");
  EXPECT_THAT(table_.ReserveName(1000, "frames", clock_.Now()), IsOk());
  table_.AbandonName(1000, "frames");
}

TEST_F(LeaseTableTest, UidsHaveNamesOfTheirOwn) {
  Grant(1, "frames");
  EXPECT_THAT(table_.ReserveName(2000, "frames", clock_.Now()), IsOk());
  EXPECT_EQ(table_.FindBuffer(2000, "frames"), nullptr);
  table_.AbandonName(2000, "frames");
}

TEST_F(LeaseTableTest, ARepeatedRequestFindsItsLease) {
  const RequestId request = random_.Next();
  ASSERT_EQ(table_.Begin(1, request).value(), nullptr);
  EXPECT_THAT(table_.Begin(1, request),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("under way")));
  ASSERT_THAT(table_.ReserveName(1000, "a", clock_.Now()), IsOk());
  LeaseTable::Buffer buffer;
  buffer.name = "a";
  buffer.uid = 1000;
  const LeaseId id =
      table_.AddBuffer(std::move(buffer), NewLease(1, request)).id;
  EXPECT_EQ(table_.Begin(1, request).value()->id, id);

  // The same id from another holder is another request.
  EXPECT_EQ(table_.Begin(2, request).value(), nullptr);
  table_.Abandon(2, request);

  End(id, EndCause::kExpired);
  EXPECT_THAT(
      table_.Begin(1, request),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expired")));
}

TEST_F(LeaseTableTest, AnAbandonedRequestMayBeMadeAgain) {
  const RequestId request = random_.Next();
  ASSERT_EQ(table_.Begin(1, request).value(), nullptr);
  table_.Abandon(1, request);
  EXPECT_EQ(table_.Begin(1, request).value(), nullptr);
  table_.Abandon(1, request);
}

TEST_F(LeaseTableTest, OnlyItsHolderOrAnAdminFindsALease) {
  const LeaseId id = Grant(1, "frames");
  EXPECT_EQ(table_.Find(1, {id}, false).value()->id, id);
  EXPECT_THAT(table_.Find(2, {id}, false),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(table_.Find(2, {id}, true).value()->id, id);
  EXPECT_THAT(table_.Find(1, {random_.Next()}, false),
              StatusIs(absl::StatusCode::kNotFound));
  End(id, EndCause::kReleased);
  EXPECT_THAT(table_.Find(2, {id}, false),
              StatusIs(absl::StatusCode::kPermissionDenied))
      << "ended leases tell nothing to others either";
}

TEST_F(LeaseTableTest, AStaleGenerationIsFenced) {
  const LeaseId id = Grant(1, "frames");
  const uint64_t generation = table_.LeaseOf(id).buffer->generation;
  EXPECT_THAT(table_.Find(1, {id, 0}, false), IsOk());
  EXPECT_THAT(table_.Find(1, {id, generation}, false), IsOk());
  EXPECT_THAT(
      table_.Find(1, {id, generation + 1}, false),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("generation")));
}

TEST_F(LeaseTableTest, AnEndedLeaseSaysHowItEnded) {
  const LeaseId released = Grant(1, "a");
  End(released, EndCause::kReleased);
  EXPECT_EQ(table_.Find(1, {released}, false).value(), nullptr);
  const std::pair<EndCause, const char*> causes[] = {
      {EndCause::kExpired, "expired"},
      {EndCause::kRevoked, "revoked"},
      {EndCause::kHolderDied, "process"}};
  for (const auto& [cause, told] : causes) {
    const LeaseId id = Grant(1, "a");
    End(id, cause);
    EXPECT_THAT(
        table_.Find(1, {id}, false),
        StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(told)));
  }
}

TEST_F(LeaseTableTest, LeasesExpireInOrderAndOnTime) {
  const LeaseId late = Grant(1, "late", absl::Seconds(20));
  const LeaseId soon = Grant(1, "soon", absl::Seconds(10));
  Grant(1, "never");
  const absl::Time start = clock_.Now();
  EXPECT_EQ(table_.NextExpiry(), start + absl::Seconds(10));
  EXPECT_THAT(table_.Expired(start + absl::Seconds(10) - absl::Nanoseconds(1)),
              ElementsAre());
  EXPECT_THAT(table_.Expired(start + absl::Seconds(10)), ElementsAre(soon));
  EXPECT_THAT(table_.Expired(start + absl::Hours(1)), ElementsAre(soon, late));
}

TEST_F(LeaseTableTest, RenewingMovesTheExpiryAndCanTakeItAway) {
  const LeaseId id = Grant(1, "a", absl::Seconds(10));
  clock_.Advance(absl::Seconds(5));
  table_.Renew(id, absl::Seconds(30), clock_.Now());
  EXPECT_EQ(table_.NextExpiry(), clock_.Now() + absl::Seconds(30));
  table_.CheckInvariants();
  table_.Renew(id, absl::ZeroDuration(), clock_.Now());
  EXPECT_EQ(table_.NextExpiry(), absl::InfiniteFuture());
  table_.CheckInvariants();
  table_.Renew(id, absl::Seconds(1), clock_.Now());
  EXPECT_EQ(table_.NextExpiry(), clock_.Now() + absl::Seconds(1));
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, RemembersABoundedNumberOfEnds) {
  // A daemon's memory must not grow with the number of leases that ever were.
  RequestId first_request;
  const LeaseId first =
      GrantAndRelease(1, "a", LeaseKind::kHeld, 1000, &first_request);
  for (size_t i = 1; i < RememberedEnds::kMostOfUid; ++i) {
    GrantAndRelease(1, "a");
  }
  EXPECT_THAT(table_.Find(1, {first}, false), IsOk());
  End(Grant(1, "a"), EndCause::kReleased);
  table_.CheckInvariants();
  EXPECT_THAT(table_.Find(1, {first}, false),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(table_.Begin(1, first_request).value(), nullptr)
      << "its request is forgotten with it";
  table_.Abandon(1, first_request);
}

TEST_F(LeaseTableTest, OneUidPushesNoOtherUidsEndsOut) {
  table_.AddHolder({3, 103, 2000, "", false});
  const LeaseId theirs = Grant(3, "theirs");
  End(theirs, EndCause::kReleased);
  for (size_t i = 0; i < RememberedEnds::kMostOfUid + 1; ++i) {
    GrantAndRelease(1, "a");
  }
  EXPECT_THAT(table_.Find(3, {theirs}, false), IsOk());
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, ATicketsEndCountsForItsBuffersUid) {
  // The pool holds the tickets of every uid.
  constexpr HolderId kPool = 9;
  table_.AddHolder({kPool, 0, 0, "", false});
  table_.AddHolder({3, 103, 2000, "", false});
  const LeaseId theirs = GrantAndRelease(kPool, "t", LeaseKind::kTicket, 2000);
  for (size_t i = 0; i < RememberedEnds::kMostOfUid + 1; ++i) {
    GrantAndRelease(kPool, "t", LeaseKind::kTicket, 1000);
  }
  EXPECT_THAT(table_.Find(kPool, {theirs}, false), IsOk());
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, EndsOfAUidWithoutAHolderAreForgottenInTime) {
  table_.AddHolder({3, 103, 2000, "", false});
  std::vector<LeaseId> theirs;
  for (int i = 0; i < 100; ++i) theirs.push_back(GrantAndRelease(3, "theirs"));
  table_.RemoveHolder(3);
  table_.CheckInvariants();
  for (int i = 0; i < 100; ++i) GrantAndRelease(1, "a");
  table_.CheckInvariants();
  for (const LeaseId& id : theirs) {
    EXPECT_THAT(table_.Find(3, {id}, false),
                StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST_F(LeaseTableTest, ARemovedHolderIsForgotten) {
  const LeaseId id = Grant(1, "a");
  EXPECT_THAT(table_.holders().LeasesOf(1), ElementsAre(id));
  End(id, EndCause::kHolderDied);
  table_.RemoveHolder(1);
  EXPECT_EQ(table_.holders().Find(1), nullptr);
  EXPECT_EQ(table_.holders().size(), 1u);
  EXPECT_THAT(table_.holders().LeasesOf(1), ElementsAre());
  table_.RemoveHolder(1);
}

TEST(LeaseTableDeathTest, AHolderDoesNotLeaveItsLeases) {
  EXPECT_DEATH(
      {
        LeaseTable table;
        table.AddHolder({1, 101, 1000, "", false});
        (void)table.Begin(1, {});
        (void)table.ReserveName(0, "a", absl::UnixEpoch());
        LeaseTable::Buffer buffer;
        buffer.name = "a";
        LeaseTable::Lease lease;
        lease.holder = 1;
        table.AddBuffer(std::move(buffer), lease);
        table.RemoveHolder(1);
      },
      "leaves its leases");
}

TEST_F(LeaseTableTest, ARenewalMakesARecoveringLeaseLive) {
  const LeaseId id = Grant(1, "frames", absl::Seconds(5));
  const LeaseId recovering = AttachRecovering(1, "frames", ClientId{7, 7});
  EXPECT_EQ(table_.recovering_count(), 1u);
  table_.Renew(id, absl::Seconds(5), clock_.Now());
  EXPECT_EQ(table_.LeaseOf(recovering).state, LeaseState::kRecovering)
      << "it was another lease that was renewed";
  table_.Renew(recovering, absl::Seconds(5), clock_.Now());
  EXPECT_EQ(table_.LeaseOf(recovering).state, LeaseState::kLive);
  EXPECT_EQ(table_.recovering_count(), 0u);
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, AClientIsShownByWhatItKnowsOnly) {
  Grant(1, "frames");
  Grant(1, "sound");
  const ClientId client{7, 7};
  const LeaseId shown = AttachRecovering(1, "frames", client);
  const std::vector<LeaseId> others = {
      AttachRecovering(1, "frames", ClientId{8, 8}),
      AttachRecovering(2, "frames", client),
      AttachRecovering(1, "sound", client),
  };
  table_.RecordShown(*table_.FindBuffer(1000, "frames"), 1, client,
                     clock_.Now());
  table_.CheckInvariants();
  EXPECT_EQ(table_.LeaseOf(shown).state, LeaseState::kLive);
  for (const LeaseId& id : others) {
    EXPECT_EQ(table_.LeaseOf(id).state, LeaseState::kRecovering);
  }
}

TEST_F(LeaseTableTest, AClientWithManyRecoveringLeasesShowsAFewAtATime) {
  Grant(1, "frames");
  const ClientId client{7, 7};
  for (size_t i = 0; i < LeaseTable::kShownAtOnce + 1; ++i) {
    AttachRecovering(1, "frames", client);
  }
  const LeaseTable::Buffer& buffer = *table_.FindBuffer(1000, "frames");
  table_.RecordShown(buffer, 1, client, clock_.Now());
  table_.CheckInvariants();
  EXPECT_EQ(table_.recovering_count(), 1u);
  table_.RecordShown(buffer, 1, client, clock_.Now());
  EXPECT_EQ(table_.recovering_count(), 0u);
}

TEST_F(LeaseTableTest, AHoldersLeasesAreAskedForAFewAtATime) {
  std::vector<LeaseId> granted;
  for (const char* const name : {"c", "a", "b"})
    granted.push_back(Grant(1, name));
  Grant(2, "other");
  EXPECT_THAT(table_.holders().LeasesOf(1),
              ElementsAre(granted[1], granted[2], granted[0]));
  const std::vector<LeaseId> first = table_.holders().LeasesOf(1, 2);
  EXPECT_THAT(first, ElementsAre(granted[1], granted[2]));
  const LeasePlace place = table_.PlaceOf(first.back());
  End(first.back(), EndCause::kReleased);
  EXPECT_THAT(table_.holders().LeasesOf(1, 2, place), ElementsAre(granted[0]));
  EXPECT_THAT(table_.holders().LeasesOf(1, 2, table_.PlaceOf(granted[0])),
              ElementsAre());
}

TEST_F(LeaseTableTest, UsagesAreAskedForAFewHoldersAtATime) {
  for (HolderId id = 3; id <= 7; ++id) {
    table_.AddHolder({id, 100 + static_cast<pid_t>(id), 1000, "", false});
  }
  Grant(1, "a");
  Grant(4, "b");
  Grant(4, "c");
  HolderId after = 0;
  std::vector<HolderUsage> usages;
  EXPECT_TRUE(table_.holders().AddUsages(3, &after, &usages));
  EXPECT_EQ(after, 3u);
  EXPECT_EQ(usages.size(), 1u) << "those without a lease are looked at, too";
  EXPECT_TRUE(table_.holders().AddUsages(3, &after, &usages));
  EXPECT_FALSE(table_.holders().AddUsages(3, &after, &usages));
  ASSERT_EQ(usages.size(), 2u);
  EXPECT_EQ(usages[1].holder.id, 4u);
  EXPECT_EQ(usages[1].leases, 2u);
}

TEST_F(LeaseTableTest, RecoveringLeasesAreCountedWhateverHappensToThem) {
  for (const char* const name : {"a", "b", "c"}) Grant(1, name);
  std::vector<LeaseId> added;
  for (int step = 0; step < 2000; ++step) {
    const std::string name(1, static_cast<char>('a' + step % 3));
    const uint64_t choice = random_.Next().high % 8;
    if (choice < 4 || added.empty()) {
      const HolderId holder = 1 + choice % 2;
      added.push_back(choice == 0 ? Attach(holder, name)
                                  : AttachRecovering(holder, name, {7, 7}));
    } else if (choice < 6) {
      const absl::Duration ttl = absl::Seconds(choice == 4 ? 0 : 5);
      table_.Renew(added[step % added.size()], ttl, clock_.Now());
    } else if (choice == 6) {
      table_.RecordShown(*table_.FindBuffer(1000, name), 1, {7, 7},
                         clock_.Now());
    } else {
      std::swap(added[step % added.size()], added.back());
      End(added.back(), EndCause::kReleased);
      added.pop_back();
    }
    table_.CheckInvariants();
  }
  for (const LeaseId& id : added) End(id, EndCause::kExpired);
  EXPECT_EQ(table_.recovering_count(), 0u);
}

}  // namespace
}  // namespace warmpool
