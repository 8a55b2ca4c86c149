// Whether the model takes what is right for right, and each planted breach for
// a breach.
#include "tests/torture/model/model.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"

namespace warmpool::torture {
namespace {

using Kind = Report::Kind;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr uint64_t kBytes = 65536;
constexpr uint64_t kOverhead = 4096;
constexpr absl::Duration kTtl = absl::Seconds(4);
constexpr RandomId kLease{.high = 1, .low = 1};
constexpr RandomId kOther{.high = 2, .low = 2};

class ModelTest : public ::testing::Test {
 protected:
  ModelTest() {
    model_.OnClientStarted(0, 100);
    model_.OnClientStarted(1, 101);
    model_.OnDaemonUp(now_);
  }

  std::optional<std::string> Tell(int client, Report report) {
    report.time = now_;
    return model_.Apply(client, report);
  }

  std::optional<std::string> Ask(int client, uint64_t request,
                                 absl::Duration ttl, bool renewed = true,
                                 const RandomId& stamper = RandomId()) {
    return Tell(client, {.kind = Kind::kAsking,
                         .request = request,
                         .lease = stamper,
                         .bytes = stamper == RandomId() ? kBytes : 0,
                         .ttl = ttl,
                         .renewed = renewed});
  }

  // A client has a lease, and the daemon's account and directory tell of it.
  void Grant(int client, const RandomId& lease, absl::Duration ttl,
             bool renewed = true, const RandomId& stamper = RandomId()) {
    EXPECT_EQ(Ask(client, lease.low, ttl, renewed, stamper), std::nullopt);
    const uint64_t inode = stamper == RandomId() ? lease.low : stamper.low;
    EXPECT_EQ(Tell(client, {.kind = Kind::kGranted,
                            .request = lease.low,
                            .lease = lease,
                            .generation = inode,
                            .bytes = kBytes,
                            .inode = inode,
                            .ttl = ttl}),
              std::nullopt);
    snapshot_.leases.push_back({.id = lease,
                                .pid = 100 + client,
                                .generation = inode,
                                .bytes = kBytes});
    snapshot_.mappings.push_back({.pid = 100 + client, .inode = inode});
    if (stamper != RandomId()) return;
    snapshot_.files[inode] = kBytes;
    Account(&Snapshot::Account::leased, kBytes);
    snapshot_.listed_bytes += kBytes;
  }

  void Account(uint64_t Snapshot::Account::*state, uint64_t bytes) {
    snapshot_.account.*state += bytes;
    snapshot_.account.free -= bytes;
  }

  // The last lease granted is gone from the daemon, its segment is retained.
  void Retain() {
    snapshot_.leases.pop_back();
    snapshot_.mappings.pop_back();
    snapshot_.listed_bytes -= kBytes;
    snapshot_.account.leased -= kBytes;
    snapshot_.account.retained += kBytes;
  }

  std::optional<std::string> Release(int client, const RandomId& lease) {
    EXPECT_EQ(Tell(client, {.kind = Kind::kReleasing, .lease = lease}),
              std::nullopt);
    return Tell(client, {.kind = Kind::kReleased, .lease = lease});
  }

  // The first of the problems; nullopt if there is none.
  std::optional<std::string> Problem() const {
    const std::vector<Model::Problem> problems =
        model_.Problems(snapshot_, now_);
    if (problems.empty()) return std::nullopt;
    return problems.front().what;
  }

  Model model_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
  // Of an idle daemon, whose lock file has the inode 999.
  Snapshot snapshot_{.account = {.capacity = 1 << 20,
                                 .overhead = kOverhead,
                                 .free = (1 << 20) - kOverhead},
                     .files = {{999, kOverhead}}};
};

TEST_F(ModelTest, ALeaseThatBothKnowIsRight) {
  EXPECT_EQ(Problem(), std::nullopt);
  Grant(0, kLease, kTtl);
  EXPECT_EQ(Problem(), std::nullopt);
  EXPECT_EQ(model_.held(), 1u);
  EXPECT_EQ(Release(0, kLease), std::nullopt);
  Retain();
  EXPECT_EQ(Problem(), std::nullopt);
  EXPECT_EQ(model_.counts().released, 1u);
}

TEST_F(ModelTest, ALeaseThatTheDaemonForgotIsLost) {
  Grant(0, kLease, kTtl);
  Retain();
  EXPECT_THAT(Problem(), Optional(HasSubstr("not among the daemon's")));
}

TEST_F(ModelTest, AReleaseThatFindsNoLeaseIsALoss) {
  Grant(0, kLease, absl::ZeroDuration());
  Tell(0, {.kind = Kind::kReleasing, .lease = kLease});
  EXPECT_THAT(Tell(0, {.kind = Kind::kLost,
                       .lease = kLease,
                       .code = absl::StatusCode::kNotFound}),
              Optional(HasSubstr("is lost")));
}

TEST_F(ModelTest, AStopOfHalfATimeToLiveExcusesALoss) {
  Grant(0, kLease, kTtl);
  model_.OnClientStopped(0, now_);
  now_ += kTtl / 3;
  model_.OnClientContinued(0, now_);
  Retain();
  EXPECT_THAT(Problem(), Optional(HasSubstr("not among the daemon's")));
  // Too soon after for a renewal in between.
  model_.OnClientStopped(0, now_ + absl::Milliseconds(100));
  now_ += kTtl / 3;
  EXPECT_EQ(Problem(), std::nullopt);
  model_.OnClientContinued(0, now_);
  EXPECT_EQ(Problem(), std::nullopt);
  Tell(0, {.kind = Kind::kReleasing, .lease = kLease});
  EXPECT_EQ(Tell(0, {.kind = Kind::kLost, .lease = kLease}), std::nullopt);
  EXPECT_EQ(model_.counts().expired, 1u);
}

TEST_F(ModelTest, NoStopExcusesTheLossOfALeaseForLife) {
  Grant(0, kLease, absl::ZeroDuration());
  model_.OnClientStopped(0, now_);
  now_ += absl::Hours(1);
  Retain();
  EXPECT_THAT(Problem(), Optional(HasSubstr("not among the daemon's")));
}

TEST_F(ModelTest, WhatNobodyRenewsMustGoAtItsTime) {
  Grant(0, kLease, kTtl, /*renewed=*/false);
  now_ += kTtl + Model::kSlack;
  EXPECT_EQ(Problem(), std::nullopt);
  now_ += absl::Milliseconds(1);
  EXPECT_THAT(Problem(), Optional(HasSubstr("outlives")));
  // A daemon that starts gives it a full time to live.
  model_.OnDaemonUp(now_);
  EXPECT_EQ(Problem(), std::nullopt);
}

TEST_F(ModelTest, ALeaseOfTheDeadIsAProblem) {
  Grant(0, kLease, absl::ZeroDuration());
  snapshot_.mappings.clear();
  model_.OnClientDied(0, now_);
  EXPECT_THAT(Problem(), Optional(HasSubstr("which is dead")));
  snapshot_.leases.front().pid = 4711;
  EXPECT_THAT(Problem(), Optional(HasSubstr("no client")));
}

TEST_F(ModelTest, AReleasedLeaseThatStaysIsAProblem) {
  Grant(0, kLease, kTtl);
  EXPECT_EQ(Release(0, kLease), std::nullopt);
  EXPECT_THAT(Problem(), Optional(HasSubstr("was released")));
}

TEST_F(ModelTest, ARequestWithoutAnAnswerMayHaveBeenGranted) {
  Ask(0, 7, kTtl);
  snapshot_.leases.push_back({.id = kOther, .pid = 100, .bytes = kBytes});
  EXPECT_THAT(Problem(), Optional(HasSubstr("did not ask")));
  model_.OnClientStopped(0, now_);
  EXPECT_EQ(Problem(), std::nullopt);
  model_.OnClientContinued(0, now_);
  EXPECT_EQ(Tell(0, {.kind = Kind::kUnsure,
                     .request = 7,
                     .code = absl::StatusCode::kDeadlineExceeded}),
            std::nullopt);
  EXPECT_EQ(Problem(), std::nullopt);
  // One request, one lease.
  snapshot_.leases.push_back({.id = kLease, .pid = 100, .bytes = kBytes});
  EXPECT_THAT(Problem(), Optional(HasSubstr("did not ask")));
  snapshot_.leases.pop_back();
  now_ += kTtl + 2 * Model::kSlack;
  EXPECT_THAT(Problem(), Optional(HasSubstr("given up")));
}

TEST_F(ModelTest, ALeaseMayExpireBeforeItIsMapped) {
  for (const auto code :
       {absl::StatusCode::kFailedPrecondition, absl::StatusCode::kNotFound}) {
    Ask(0, 7, kTtl, /*renewed=*/false);
    now_ += kTtl;
    EXPECT_EQ(Tell(0, {.kind = Kind::kUnsure, .request = 7, .code = code}),
              std::nullopt);
    Ask(0, 8, kTtl, /*renewed=*/false);
    now_ += kTtl - absl::Milliseconds(1);
    EXPECT_THAT(Tell(0, {.kind = Kind::kUnsure, .request = 8, .code = code}),
                Optional(HasSubstr("can't map what it was just granted")));
  }
}

TEST_F(ModelTest, PagesOfALiveLeaseMustNotBeGranted) {
  Grant(0, kLease, kTtl);
  const Report found{.kind = Kind::kFound, .lease = kLease};
  EXPECT_THAT(Tell(1, found), Optional(HasSubstr("was granted pages")));
  // Whoever is about to release them may have unmapped them.
  Tell(0, {.kind = Kind::kReleasing, .lease = kLease});
  EXPECT_EQ(Tell(1, found), std::nullopt);
}

TEST_F(ModelTest, NorItsFileWhateverIsInIt) {
  Grant(0, kLease, kTtl);
  const Report granted{.kind = Kind::kGranted,
                       .request = 9,
                       .lease = kOther,
                       .generation = kOther.low,
                       .bytes = kBytes,
                       .inode = kLease.low};
  Ask(1, 9, kTtl);
  EXPECT_THAT(Tell(1, granted), Optional(HasSubstr("was granted, as lease")));
  Tell(0, {.kind = Kind::kReleasing, .lease = kLease});
  Ask(1, 9, kTtl);
  EXPECT_EQ(Tell(1, granted), std::nullopt);
}

TEST_F(ModelTest, WhoeverAttachesHasTheSameFileAndSize) {
  Grant(0, kLease, kTtl);
  for (const bool other_file : {false, true}) {
    Ask(1, 9, kTtl, /*renewed=*/true, kLease);
    EXPECT_THAT(Tell(1, {.kind = Kind::kGranted,
                         .request = 9,
                         .lease = kOther,
                         .generation = kLease.low,
                         .bytes = other_file ? kBytes : kBytes - 1,
                         .inode = other_file ? 5 : kLease.low}),
                Optional(HasSubstr("was granted generation 1")));
  }
}

TEST_F(ModelTest, WhatADeadClientHadNotReportedIsNotKnown) {
  Grant(0, kLease, kTtl);
  model_.OnClientDied(0, now_);
  EXPECT_EQ(Tell(1, {.kind = Kind::kFound, .lease = kLease}), std::nullopt);
  Ask(1, 9, kTtl, /*renewed=*/true, kLease);
  EXPECT_EQ(Tell(1, {.kind = Kind::kRefused,
                     .request = 9,
                     .code = absl::StatusCode::kNotFound}),
            std::nullopt);
}

TEST_F(ModelTest, NorPagesThatAnAttachedClientOrAForkHas) {
  const Report found{.kind = Kind::kFound, .lease = kLease};
  Grant(0, kLease, kTtl);
  Grant(1, kOther, kTtl, /*renewed=*/true, /*stamper=*/kLease);
  EXPECT_EQ(Problem(), std::nullopt);
  Release(0, kLease);
  EXPECT_THAT(Tell(0, found), Optional(HasSubstr("client 1")));
  Tell(1, {.kind = Kind::kForkHolds, .lease = kLease});
  model_.OnClientDied(1, now_);
  EXPECT_THAT(Tell(0, found), Optional(HasSubstr("forked child")));
  Tell(1, {.kind = Kind::kForkDone, .lease = kLease});
  EXPECT_EQ(Tell(0, found), std::nullopt);
}

TEST_F(ModelTest, AHeldBufferCanBeAttachedTo) {
  const Report refused{.kind = Kind::kRefused,
                       .request = 9,
                       .code = absl::StatusCode::kNotFound};
  Grant(0, kLease, kTtl);
  Ask(1, 9, kTtl, /*renewed=*/true, kLease);
  EXPECT_THAT(Tell(1, refused), Optional(HasSubstr("can't attach")));
  Ask(1, 9, kTtl, /*renewed=*/true, kLease);
  Tell(0, {.kind = Kind::kReleasing, .lease = kLease});
  EXPECT_EQ(Tell(1, refused), std::nullopt);
}

TEST_F(ModelTest, OnlyFullnessIsAReasonToRefuse) {
  Ask(0, 1, kTtl);
  EXPECT_EQ(Tell(0, {.kind = Kind::kRefused,
                     .request = 1,
                     .code = absl::StatusCode::kResourceExhausted}),
            std::nullopt);
  Ask(0, 2, kTtl);
  EXPECT_THAT(Tell(0, {.kind = Kind::kRefused,
                       .request = 2,
                       .code = absl::StatusCode::kAlreadyExists}),
              Optional(HasSubstr("was refused")));
}

TEST_F(ModelTest, AFileThatNobodyAccountsForIsALeak) {
  snapshot_.files[5] = kBytes;
  EXPECT_THAT(Problem(), Optional(HasSubstr("the directory has")));
}

TEST_F(ModelTest, WhatIsBatchedMayHaveLostItsName) {
  Account(&Snapshot::Account::batched, kBytes);
  EXPECT_EQ(Problem(), std::nullopt);
  snapshot_.files[5] = kBytes;
  EXPECT_EQ(Problem(), std::nullopt);
  snapshot_.files[6] = kBytes;
  EXPECT_THAT(Problem(), Optional(HasSubstr("the directory has")));
  snapshot_.files.erase(5);
  snapshot_.files.erase(6);
  Account(&Snapshot::Account::retained, kBytes);
  EXPECT_THAT(Problem(), Optional(HasSubstr("the directory has")));
}

TEST_F(ModelTest, ALeasedFileThatIsGoneIsAProblem) {
  Grant(0, kLease, kTtl);
  snapshot_.files.erase(kLease.low);
  EXPECT_THAT(Problem(), Optional(HasSubstr("its file has")));
}

TEST_F(ModelTest, TheAccountAddsUp) {
  Grant(0, kLease, kTtl);
  snapshot_.account.free += 1;
  EXPECT_THAT(Problem(), Optional(HasSubstr("are free")));
  snapshot_.account.free -= 1;
  snapshot_.listed_bytes -= 1;
  EXPECT_THAT(Problem(), Optional(HasSubstr("accounts")));
}

TEST_F(ModelTest, WhatIsMappedWithoutALeaseIsQuarantined) {
  snapshot_.files[5] = kBytes;
  snapshot_.mappings.push_back({.pid = 100, .inode = 5});
  Account(&Snapshot::Account::quarantined, kBytes);
  EXPECT_EQ(Problem(), std::nullopt);
  std::swap(snapshot_.account.quarantined, snapshot_.account.retained);
  EXPECT_THAT(Problem(), Optional(HasSubstr("mapped without a lease")));
  std::swap(snapshot_.account.quarantined, snapshot_.account.retained);
  snapshot_.mappings.clear();
  EXPECT_THAT(Problem(), Optional(HasSubstr("mapped without a lease")));
}

TEST_F(ModelTest, AMappedFileKeepsItsName) {
  Grant(0, kLease, kTtl);
  snapshot_.mappings.front().deleted = true;
  EXPECT_THAT(Problem(), Optional(HasSubstr("unlinked")));
}

TEST_F(ModelTest, RemembersNoMoreAfterAnHourThanAfterMinutes) {
  size_t before = 0;
  for (int minute = 0; minute < 60; ++minute) {
    const int client = 2 + minute;
    model_.OnClientStarted(client, 102 + client);
    for (int i = 0; i < 10; ++i) {
      const auto number = static_cast<uint64_t>(10 * client + i);
      const RandomId lease{.high = 5, .low = number};
      EXPECT_EQ(Ask(client, number, kTtl), std::nullopt);
      EXPECT_EQ(Tell(client, {.kind = Kind::kGranted,
                              .request = number,
                              .lease = lease,
                              .generation = number,
                              .bytes = kBytes,
                              .inode = number}),
                std::nullopt);
      Tell(client, {.kind = Kind::kSealing, .request = 1, .lease = lease});
      Tell(client, {.kind = Kind::kSealed, .request = 1, .lease = lease});
      Ask(1, 1, kTtl, /*renewed=*/true, lease);
      Tell(1, {.kind = Kind::kUnsure, .request = 1});
      if (i % 2 == 0) {
        EXPECT_EQ(Release(client, lease), std::nullopt);
      }
      model_.OnClientStopped(client, now_);
      model_.OnClientContinued(client, now_);
    }
    model_.OnClientDied(client, now_);
    now_ += absl::Minutes(1);
    model_.Prune(snapshot_, now_);
    if (minute == 4) before = model_.remembered();
  }
  EXPECT_GT(before, 0u);
  EXPECT_LE(model_.remembered(), before);
}

TEST_F(ModelTest, ABreachThatAClientSawIsOne) {
  EXPECT_THAT(Tell(0, {.text = "a page of another"}),
              Optional(HasSubstr("a page of another")));
}

}  // namespace
}  // namespace warmpool::torture
