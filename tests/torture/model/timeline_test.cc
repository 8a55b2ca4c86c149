// Whether reports are judged in the order of their own times, however late a
// pipe is read.
#include "tests/torture/model/timeline.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/torture/model/model.h"

namespace warmpool::torture {
namespace {

using Kind = Report::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr RandomId kLease{.high = 1, .low = 1};
constexpr RandomId kOther{.high = 2, .low = 2};

absl::Time At(int64_t milliseconds) {
  return absl::FromUnixSeconds(1000) + absl::Milliseconds(milliseconds);
}

class TimelineTest : public ::testing::Test {
 protected:
  TimelineTest() {
    model_.OnClientStarted(0, 100);
    model_.OnClientStarted(1, 101);
    model_.OnDaemonUp(At(0));
  }

  void Add(int client, int64_t milliseconds, Report report) {
    report.time = At(milliseconds);
    timeline_.Add(client, report);
  }

  // "client kind-or-end's request" of those that are certain by now.
  std::vector<std::string> ReadUntil(int64_t milliseconds) {
    timeline_.OnAllRead(At(milliseconds));
    std::vector<std::string> told;
    while (const auto event = timeline_.Next()) {
      const std::string client = std::to_string(event->client);
      if (!event->report.has_value()) {
        told.push_back(client + " ends");
        model_.OnClientDied(event->client, event->at);
        continue;
      }
      told.push_back(client + " " + std::to_string(event->report->request));
      const auto wrong = model_.Apply(event->client, *event->report);
      if (wrong.has_value() && !breach_.has_value()) breach_ = wrong;
    }
    return told;
  }

  // A client has a lease of a buffer with a file of its own.
  void AddGrant(int client, int64_t milliseconds, const RandomId& lease) {
    Add(client, milliseconds, {.kind = Kind::kAsking, .request = 1});
    AddGranted(client, milliseconds + 1, lease, lease.low);
  }
  void AddGranted(int client, int64_t milliseconds, const RandomId& lease,
                  uint64_t generation) {
    Add(client, milliseconds,
        {.kind = Kind::kGranted,
         .request = 1,
         .lease = lease,
         .generation = generation,
         .bytes = 4096,
         .inode = generation});
  }

  Timeline timeline_;
  Model model_;
  std::optional<std::string> breach_;
};

TEST_F(TimelineTest, OrdersByTheReportsOwnTimes) {
  Add(1, 20, {.kind = Kind::kPaused, .request = 2});
  Add(0, 10, {.kind = Kind::kPaused, .request = 1});
  Add(0, 30, {.kind = Kind::kPaused, .request = 3});
  EXPECT_THAT(ReadUntil(40), ElementsAre("0 1", "1 2", "0 3"));
}

TEST_F(TimelineTest, KeepsWhatSomebodyMayHaveReportedBefore) {
  Add(1, 20, {.kind = Kind::kPaused, .request = 2});
  EXPECT_THAT(ReadUntil(20), IsEmpty());
  EXPECT_EQ(timeline_.waiting(), 1u);
  Add(0, 19, {.kind = Kind::kPaused, .request = 1});
  EXPECT_THAT(ReadUntil(21), ElementsAre("0 1", "1 2"));
}

TEST_F(TimelineTest, ALateReportComesNext) {
  Add(1, 20, {.kind = Kind::kPaused, .request = 1});
  EXPECT_THAT(ReadUntil(21), ElementsAre("1 1"));
  Add(0, 10, {.kind = Kind::kPaused, .request = 2});
  EXPECT_THAT(ReadUntil(22), ElementsAre("0 2"));
}

TEST_F(TimelineTest, AnEndComesAfterItsOwnReportsAndBeforeWhatFollowed) {
  Add(0, 9, {.kind = Kind::kPaused, .request = 1});
  Add(0, 12, {.kind = Kind::kPaused, .request = 2});
  Add(1, 11, {.kind = Kind::kPaused, .request = 3});
  Add(1, 8, {.kind = Kind::kPaused, .request = 4});
  timeline_.AddEnd(0, At(10));
  EXPECT_THAT(ReadUntil(20), ElementsAre("1 4", "0 1", "0 2", "0 ends", "1 3"));
}

// The driver read client 0's pipe, got no processor for 185 ms, and read client
// 1's; meanwhile client 0 had sealed what client 1 then read.
TEST_F(TimelineTest, ASealInAPipeReadLaterIsNotMissing) {
  AddGrant(0, 0, kLease);
  EXPECT_THAT(ReadUntil(10), ElementsAre("0 1", "0 1"));
  Add(1, 40, {.kind = Kind::kReading, .request = 1, .lease = kLease});
  AddGranted(1, 60, kOther, kLease.low);
  // This pass began before either.
  EXPECT_THAT(ReadUntil(15), IsEmpty());
  Add(0, 45, {.kind = Kind::kSealing, .request = 2, .lease = kLease});
  Add(0, 70, {.kind = Kind::kSealed, .request = 2, .lease = kLease});
  EXPECT_THAT(ReadUntil(200), ElementsAre("1 1", "0 2", "1 1", "0 2"));
  EXPECT_EQ(breach_, std::nullopt);
  EXPECT_EQ(model_.counts().read, 1u);
}

TEST_F(TimelineTest, ASealThatWasNotBegunIsMissing) {
  AddGrant(0, 0, kLease);
  Add(1, 40, {.kind = Kind::kReading, .request = 1, .lease = kLease});
  AddGranted(1, 60, kOther, kLease.low);
  Add(0, 61, {.kind = Kind::kSealing, .request = 2, .lease = kLease});
  ReadUntil(200);
  EXPECT_THAT(breach_, Optional(HasSubstr("nobody sealed it")));
}

// As above, but client 0 had released what client 1 was then granted.
TEST_F(TimelineTest, AReleaseInAPipeReadLaterIsNotMissing) {
  AddGrant(0, 0, kLease);
  EXPECT_THAT(ReadUntil(10), ElementsAre("0 1", "0 1"));
  Add(1, 90, {.kind = Kind::kAsking, .request = 1});
  AddGranted(1, 100, kOther, kOther.low);
  Add(1, 101, {.kind = Kind::kFound, .request = 2, .lease = kLease});
  EXPECT_THAT(ReadUntil(11), IsEmpty());
  Add(0, 80, {.kind = Kind::kReleasing, .request = 3, .lease = kLease});
  Add(0, 110, {.kind = Kind::kReleased, .request = 4, .lease = kLease});
  ReadUntil(200);
  EXPECT_EQ(breach_, std::nullopt);
  EXPECT_EQ(model_.counts().reused, 1u);
}

// What was reported later does not excuse it, though it may be read before.
TEST_F(TimelineTest, AReleaseThatWasBegunAfterwardsIsNoExcuse) {
  AddGrant(0, 0, kLease);
  Add(0, 102, {.kind = Kind::kReleasing, .lease = kLease});
  Add(0, 110, {.kind = Kind::kReleased, .lease = kLease});
  Add(1, 90, {.kind = Kind::kAsking, .request = 1});
  AddGranted(1, 100, kOther, kOther.low);
  Add(1, 101, {.kind = Kind::kFound, .lease = kLease});
  ReadUntil(200);
  EXPECT_THAT(breach_, Optional(HasSubstr("was granted pages")));
}

TEST_F(TimelineTest, TheReleaseOfAKilledClientIsNotKnown) {
  AddGrant(0, 0, kLease);
  Add(1, 90, {.kind = Kind::kAsking, .request = 1});
  AddGranted(1, 100, kOther, kOther.low);
  Add(1, 101, {.kind = Kind::kFound, .lease = kLease});
  // Killed at 89; the driver got no processor before 150.
  timeline_.AddEnd(0, At(89));
  ReadUntil(200);
  EXPECT_EQ(breach_, std::nullopt);
}

}  // namespace
}  // namespace warmpool::torture
