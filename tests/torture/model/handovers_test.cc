// Whether the model takes a right hand-over for right, and each planted breach
// for a breach.
#include "tests/torture/model/handovers.h"

#include <string>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/torture/model/model.h"

namespace warmpool::torture {
namespace {

using Code = absl::StatusCode;
using Kind = Report::Kind;
using Listed = Snapshot::Lease;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr uint64_t kBytes = 65536;
constexpr absl::Duration kForLife = absl::ZeroDuration();
constexpr absl::Duration kLinger = absl::Seconds(2);
constexpr absl::Duration kTicketTtl = absl::Seconds(3);
constexpr absl::Duration kMoment = absl::Milliseconds(1);
// Of client 0, generation 1; the others are of generations 2 and 3.
constexpr RandomId kLease{.high = 1, .low = 1};
constexpr RandomId kOther{.high = 2, .low = 2};
constexpr RandomId kThird{.high = 3, .low = 3};

class HandOversTest : public ::testing::Test {
 protected:
  HandOversTest() {
    for (int client = 0; client < 3; ++client) {
      model_.OnClientStarted(client, 100 + client);
    }
    model_.OnDaemonUp(now_);
    Ask(0, Kind::kAsking, RandomId(), kForLife);
    EXPECT_EQ(Grant(0, kLease, 1), std::nullopt);
  }

  std::optional<std::string> Tell(int client, Report report) {
    report.time = now_;
    return model_.Apply(client, report);
  }

  // Each asks for one thing at a time.
  void Ask(int client, Kind kind, const RandomId& lease, absl::Duration ttl) {
    EXPECT_EQ(Tell(client, {.kind = kind,
                            .request = 1,
                            .lease = lease,
                            .ttl = ttl,
                            .renewed = true}),
              std::nullopt);
  }

  std::optional<std::string> Grant(int client, const RandomId& lease,
                                   uint64_t generation) {
    return Tell(client, {.kind = Kind::kGranted,
                         .request = 1,
                         .lease = lease,
                         .generation = generation,
                         .bytes = kBytes,
                         .inode = 7});
  }

  std::optional<std::string> Done(Kind kind, const RandomId& lease) {
    return Tell(0, {.kind = kind, .request = 1, .lease = lease});
  }

  std::optional<std::string> Refuse(int client, Code code) {
    return Tell(client, {.kind = Kind::kRefused, .request = 1, .code = code});
  }

  void Seal(absl::Duration linger = absl::ZeroDuration()) {
    Ask(0, Kind::kSealing, kLease, linger);
    EXPECT_EQ(Done(Kind::kSealed, kLease), std::nullopt);
    now_ += kMoment;
  }

  void MakeTicket() {
    Ask(0, Kind::kTicketing, kLease, kTicketTtl);
    EXPECT_EQ(Done(Kind::kTicketed, kLease), std::nullopt);
    now_ += kMoment;
  }

  void Release() {
    Tell(0, {.kind = Kind::kReleasing, .lease = kLease});
    EXPECT_EQ(Done(Kind::kReleased, kLease), std::nullopt);
  }

  std::optional<std::string> Claim(int client, const RandomId& lease,
                                   uint64_t generation) {
    Ask(client, Kind::kClaiming, kLease, kForLife);
    return Grant(client, lease, generation);
  }

  // With a daemon that lists `leases`; nullopt if nothing is wrong with them.
  std::optional<std::string> Problem(std::vector<Listed> leases) const {
    Snapshot snapshot{.leases = std::move(leases), .files = {{7, kBytes}}};
    snapshot.account.retained = kBytes;
    snapshot.account.capacity = kBytes;
    const auto problems = model_.Problems(snapshot, now_);
    if (problems.empty()) return std::nullopt;
    return problems.front().what;
  }

  static Listed Held(int client, const RandomId& id, uint64_t generation) {
    return {.id = id,
            .pid = 100 + client,
            .generation = generation,
            .bytes = kBytes};
  }
  static Listed Kept(Listed::Kind kind, uint64_t generation) {
    return {.kind = kind, .generation = generation, .bytes = kBytes};
  }
  static Listed Ticket() { return Kept(Listed::Kind::kTicket, 1); }
  static Listed Lingering() { return Kept(Listed::Kind::kLingering, 1); }

  Model model_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
};

TEST_F(HandOversTest, ASealedBufferCanBeReadAndNotWritten) {
  Seal();
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_EQ(Grant(1, kOther, 1), std::nullopt);
  EXPECT_EQ(Problem({Held(0, kLease, 1), Held(1, kOther, 1)}), std::nullopt);
  EXPECT_EQ(model_.counts().read, 1u);

  Ask(2, Kind::kAsking, kLease, kForLife);
  EXPECT_EQ(Refuse(2, Code::kFailedPrecondition), std::nullopt);
  Ask(2, Kind::kAsking, kLease, kForLife);
  EXPECT_THAT(Grant(2, kThird, 1), Optional(HasSubstr("may write")));
}

TEST_F(HandOversTest, AReaderIsRefusedOnlyBeforeTheSeal) {
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_EQ(Refuse(1, Code::kDeadlineExceeded), std::nullopt);
  Ask(1, Kind::kReading, kLease, kForLife);
  Seal();
  EXPECT_EQ(Refuse(1, Code::kDeadlineExceeded), std::nullopt);
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_THAT(Refuse(1, Code::kDeadlineExceeded),
              Optional(HasSubstr("refused to attach")));
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_THAT(Refuse(1, Code::kNotFound), Optional(HasSubstr("can't attach")));
}

TEST_F(HandOversTest, WhatNobodySealedCantBeRead) {
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_THAT(Grant(1, kOther, 1), Optional(HasSubstr("nobody sealed it")));
}

TEST_F(HandOversTest, AnUnansweredSealMayHaveHappened) {
  Ask(0, Kind::kSealing, kLease, kForLife);
  Tell(0, {.kind = Kind::kUnsure, .request = 1, .code = Code::kUnavailable});
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_EQ(Refuse(1, Code::kDeadlineExceeded), std::nullopt);
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_EQ(Grant(1, kOther, 1), std::nullopt);
}

TEST_F(HandOversTest, ASealIsRefusedOnlyWhereOthersHaveTheBuffer) {
  Ask(0, Kind::kSealing, kLease, kForLife);
  EXPECT_THAT(Refuse(0, Code::kFailedPrecondition),
              Optional(HasSubstr("refused to seal")));
  Tell(0, {.kind = Kind::kForking});
  Ask(0, Kind::kSealing, kLease, kForLife);
  EXPECT_EQ(Refuse(0, Code::kFailedPrecondition), std::nullopt);
  Ask(0, Kind::kSealing, kLease, kForLife);
  EXPECT_THAT(Refuse(0, Code::kNotFound), Optional(HasSubstr("to seal")));
}

TEST_F(HandOversTest, ASealedBufferLingersForItsTime) {
  Seal(kLinger);
  EXPECT_THAT(Problem({Held(0, kLease, 1), Lingering()}),
              Optional(HasSubstr("still has it")));
  Release();
  EXPECT_EQ(Problem({Lingering()}), std::nullopt);
  EXPECT_THAT(Problem({}), Optional(HasSubstr("does not linger")));
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_THAT(Refuse(1, Code::kNotFound),
              Optional(HasSubstr("refused to attach")));
  EXPECT_THAT(Tell(1, {.kind = Kind::kFound, .lease = kLease}),
              Optional(HasSubstr("a lingering lease")));

  now_ += kLinger;
  EXPECT_EQ(Problem({}), std::nullopt);
  Ask(1, Kind::kReading, kLease, kForLife);
  EXPECT_EQ(Refuse(1, Code::kNotFound), std::nullopt);
  now_ += 2 * Model::kSlack + kMoment;
  EXPECT_THAT(Problem({Lingering()}), Optional(HasSubstr("for more than")));
}

TEST_F(HandOversTest, TheBufferOfADeadSealerLingersToo) {
  Seal(kLinger);
  model_.OnClientDied(0, now_);
  EXPECT_EQ(Problem({Lingering()}), std::nullopt);
  EXPECT_THAT(Problem({}), Optional(HasSubstr("does not linger")));
}

TEST_F(HandOversTest, NothingLingersThatWasNotToldTo) {
  Seal();
  Release();
  EXPECT_EQ(Problem({}), std::nullopt);
  EXPECT_THAT(Problem({Lingering()}), Optional(HasSubstr("nobody wanted")));
}

TEST_F(HandOversTest, ATicketIsClaimedOnce) {
  MakeTicket();
  EXPECT_EQ(Problem({Ticket()}), std::nullopt);
  EXPECT_EQ(Claim(1, kOther, 2), std::nullopt);
  EXPECT_EQ(Problem({Held(1, kOther, 2)}), std::nullopt);
  EXPECT_THAT(Problem({Held(1, kOther, 2), Ticket()}),
              Optional(HasSubstr("claimed it")));
  Ask(2, Kind::kClaiming, kLease, kForLife);
  EXPECT_EQ(Refuse(2, Code::kFailedPrecondition), std::nullopt);
  EXPECT_EQ(model_.counts().claims_refused, 1u);
  EXPECT_THAT(Claim(2, kThird, 3), Optional(HasSubstr("did before")));
}

TEST_F(HandOversTest, WhatWasGivenHasOneHolder) {
  MakeTicket();
  EXPECT_THAT(Problem({Held(0, kLease, 1)}),
              Optional(HasSubstr("was released")));
  EXPECT_THAT(Problem({Ticket(), Held(1, kOther, 1)}),
              Optional(HasSubstr("pid 101")));
  EXPECT_THAT(Claim(1, kOther, 1), Optional(HasSubstr("generation 1")));
}

TEST_F(HandOversTest, WhoClaimedABufferHasItsPages) {
  MakeTicket();
  EXPECT_EQ(Claim(1, kOther, 2), std::nullopt);
  for (const RandomId& stamp : {kLease, kOther}) {
    EXPECT_THAT(Tell(2, {.kind = Kind::kFound, .lease = stamp}),
                Optional(HasSubstr("client 1")));
  }
  Tell(1, {.kind = Kind::kStamped, .lease = kOther});
  EXPECT_EQ(Tell(2, {.kind = Kind::kFound, .lease = kLease}), std::nullopt)
      << "the giver's are overwritten";
}

TEST_F(HandOversTest, ATicketThatNobodyClaimsIsThereForItsTime) {
  MakeTicket();
  EXPECT_THAT(Problem({}), Optional(HasSubstr("is not there")));
  EXPECT_THAT(Tell(1, {.kind = Kind::kFound, .lease = kLease}),
              Optional(HasSubstr("which a ticket has")));
  Ask(1, Kind::kClaiming, kLease, kForLife);
  EXPECT_THAT(Refuse(1, Code::kFailedPrecondition),
              Optional(HasSubstr("nobody else claims")));
  now_ += kTicketTtl;
  Ask(1, Kind::kClaiming, kLease, kForLife);
  EXPECT_EQ(Refuse(1, Code::kFailedPrecondition), std::nullopt);
  EXPECT_EQ(Problem({}), std::nullopt);
  now_ += Model::kSlack + kMoment;
  EXPECT_THAT(Problem({Ticket()}), Optional(HasSubstr("outlives")));
  EXPECT_THAT(Claim(1, kOther, 2), Optional(HasSubstr("ago for 3s")));
}

TEST_F(HandOversTest, ATicketThatIsListedIsRemembered) {
  MakeTicket();
  now_ += absl::Hours(1);
  // The daemon was started again and again.
  model_.OnDaemonUp(now_);
  model_.Prune({.leases = {Ticket()}}, now_);
  EXPECT_EQ(Problem({Ticket()}), std::nullopt);
  model_.Prune({}, now_);
  EXPECT_THAT(Problem({Ticket()}), Optional(HasSubstr("nobody made")));
}

TEST_F(HandOversTest, ATicketOutlivesItsMaker) {
  MakeTicket();
  model_.OnClientDied(0, now_);
  EXPECT_EQ(Problem({Ticket()}), std::nullopt);
  EXPECT_THAT(Problem({}), Optional(HasSubstr("is not there")));
}

TEST_F(HandOversTest, AnUnansweredTicketMayHaveBeenMade) {
  Ask(0, Kind::kTicketing, kLease, kTicketTtl);
  Tell(0, {.kind = Kind::kUnsure, .request = 1, .code = Code::kUnavailable});
  EXPECT_EQ(Problem({}), std::nullopt);
  EXPECT_EQ(Problem({Ticket()}), std::nullopt);
  EXPECT_EQ(Problem({Held(0, kLease, 1)}), std::nullopt);
  EXPECT_THAT(Problem({Ticket(), Held(0, kLease, 1)}),
              Optional(HasSubstr("other leases")));
  now_ += kTicketTtl + Model::kSlack + kMoment;
  EXPECT_THAT(Problem({Ticket()}), Optional(HasSubstr("outlives")));
}

TEST_F(HandOversTest, SoMayTheTicketOfWhoDiedMakingIt) {
  Ask(0, Kind::kTicketing, kLease, kTicketTtl);
  model_.OnClientDied(0, now_);
  EXPECT_EQ(Problem({}), std::nullopt);
  EXPECT_EQ(Problem({Ticket()}), std::nullopt);
  now_ += kTicketTtl + Model::kSlack + kMoment;
  EXPECT_THAT(Problem({Ticket()}), Optional(HasSubstr("outlives")));
}

TEST_F(HandOversTest, AnUnansweredClaimMayHaveHappened) {
  MakeTicket();
  Ask(1, Kind::kClaiming, kLease, kForLife);
  Tell(1, {.kind = Kind::kUnsure, .request = 1, .code = Code::kUnavailable});
  EXPECT_EQ(Problem({}), std::nullopt);
  EXPECT_EQ(Problem({Ticket()}), std::nullopt);
  EXPECT_EQ(Problem({Held(1, kOther, 2)}), std::nullopt);
  Ask(2, Kind::kClaiming, kLease, kForLife);
  EXPECT_EQ(Refuse(2, Code::kFailedPrecondition), std::nullopt);
  EXPECT_EQ(Claim(2, kThird, 3), std::nullopt);
}

TEST_F(HandOversTest, ATicketThatAllWereRefusedIsLost) {
  MakeTicket();
  Ask(1, Kind::kClaiming, kLease, kForLife);
  Ask(2, Kind::kClaiming, kLease, kForLife);
  now_ += kMoment;
  EXPECT_EQ(Refuse(1, Code::kNotFound), std::nullopt) << "2 may have it";
  EXPECT_EQ(Refuse(2, Code::kNotFound), std::nullopt) << "1 was in between";
  EXPECT_THAT(Problem({}), Optional(HasSubstr("is not there")));
  now_ += kMoment;
  Ask(1, Kind::kClaiming, kLease, kForLife);
  EXPECT_THAT(Refuse(1, Code::kNotFound),
              Optional(HasSubstr("nobody else claims")));
}

TEST_F(HandOversTest, AClaimerThatDiedMayHaveClaimed) {
  MakeTicket();
  Ask(1, Kind::kClaiming, kLease, kForLife);
  model_.OnClientDied(1, now_);
  now_ += kMoment;
  Ask(2, Kind::kClaiming, kLease, kForLife);
  EXPECT_EQ(Refuse(2, Code::kNotFound), std::nullopt);
  EXPECT_EQ(Problem({}), std::nullopt);
}

TEST_F(HandOversTest, AForkExcusesADelayOnly) {
  Tell(0, {.kind = Kind::kForking});
  MakeTicket();
  Ask(1, Kind::kClaiming, kLease, kForLife);
  EXPECT_EQ(Refuse(1, Code::kFailedPrecondition), std::nullopt);
  now_ += kMoment;
  Ask(1, Kind::kClaiming, kLease, kForLife);
  EXPECT_THAT(Refuse(1, Code::kNotFound),
              Optional(HasSubstr("nobody else claims")));
}

TEST_F(HandOversTest, ATicketThatNobodyMadeIsAProblem) {
  EXPECT_THAT(Problem({Held(0, kLease, 1), Ticket()}),
              Optional(HasSubstr("nobody made")));
}

TEST_F(HandOversTest, ARefusedTicketLeavesTheLease) {
  Ask(0, Kind::kTicketing, kLease, kTicketTtl);
  EXPECT_EQ(Refuse(0, Code::kAborted), std::nullopt);
  EXPECT_EQ(Problem({Held(0, kLease, 1)}), std::nullopt);
  EXPECT_THAT(Problem({}), Optional(HasSubstr("not among the daemon's")));
  Ask(0, Kind::kTicketing, kLease, kTicketTtl);
  EXPECT_THAT(Refuse(0, Code::kFailedPrecondition),
              Optional(HasSubstr("refused to give")));
}

}  // namespace
}  // namespace warmpool::torture
