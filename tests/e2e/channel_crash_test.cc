// A channel whose members, and whose daemon, are killed at any time: nobody
// gets what another has, no bytes change on their way, and nothing is left
// behind.
#include <signal.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr int kMembers = 3;
constexpr int kSteps = 1500;
constexpr size_t kMostHeld = 6;

// A buffer that a member has, or that is on its way.
struct Held {
  // Its id with its member, or its token.
  std::string name;
  uint64_t stamp = 0;
  // How many members had died when it was leased. What happens to it later may
  // be for the sake of one of the others.
  int deaths = 0;
};

class ChannelCrashTest : public ::testing::Test {
 protected:
  struct Member {
    std::unique_ptr<ChildProcess> process;
    std::vector<Held> held;
  };

  void Start(Member* member) {
    member->held.clear();
    member->process = std::make_unique<ChildProcess>(
        std::vector<std::string>{"tests/e2e/channel_member", daemon_.target()});
  }

  void Kill(Member* member) {
    member->process->Signal(SIGKILL);
    member->process->Wait();
    ++deaths_;
  }

  uint64_t Random(uint64_t below) { return random_() % below; }

  std::string Ask(Member& member, const std::string& command) {
    member.process->WriteLine(command);
    return member.process->ReadLine();
  }

  static Held TakeAny(std::vector<Held>* from, uint64_t which) {
    Held held = std::move((*from)[which]);
    from->erase(from->begin() + static_cast<ptrdiff_t>(which));
    return held;
  }

  // Whether the answer gave something, which becomes the held one's name. If it
  // is an error, it must be one that a death explains.
  bool Gave(const std::string& answer, absl::string_view word, Held* held,
            absl::string_view error) {
    absl::string_view rest = answer;
    if (absl::ConsumePrefix(&rest, word)) {
      held->name = std::string(rest);
      return true;
    }
    EXPECT_EQ(answer, absl::StrCat("error ", error));
    EXPECT_GT(deaths_, held->deaths) << answer << ", and nobody has died";
    ++lost_;
    return false;
  }

  void Lease(Member& member) {
    Held held;
    held.stamp = ++last_stamp_;
    const uint64_t bytes = uint64_t{4096} << Random(10);
    const std::string answer =
        Ask(member, absl::StrCat("lease ", bytes, " ", held.stamp));
    ASSERT_TRUE(absl::StartsWith(answer, "has ")) << answer;
    held.name = answer.substr(4);
    // It may be one that others had before.
    held.deaths = -1;
    member.held.push_back(std::move(held));
  }

  void Give(Member& member) {
    Held held = TakeAny(&member.held, Random(member.held.size()));
    const std::string id = held.name;
    if (Gave(Ask(member, absl::StrCat("give ", id, " ", held.stamp)), "gave ",
             &held, "FAILED_PRECONDITION")) {
      on_their_way_.push_back(std::move(held));
    } else {
      EXPECT_EQ(Ask(member, absl::StrCat("drop ", id, " ", held.stamp)),
                "dropped");
    }
  }

  void Take(Member& member) {
    Held held = TakeAny(&on_their_way_, Random(on_their_way_.size()));
    const uint64_t stamp = ++last_stamp_;
    if (Gave(Ask(member,
                 absl::StrCat("take ", held.name, " ", held.stamp, " ", stamp)),
             "has ", &held, "NOT_FOUND")) {
      held.stamp = stamp;
      ++taken_;
      member.held.push_back(std::move(held));
    }
  }

  void Drop(Member& member) {
    const Held held = TakeAny(&member.held, Random(member.held.size()));
    EXPECT_EQ(Ask(member, absl::StrCat("drop ", held.name, " ", held.stamp)),
              "dropped");
  }

  void Step() {
    Member& member = members_[Random(kMembers)];
    const uint64_t die = Random(300);
    if (die == 0) {
      daemon_.Kill();
      daemon_.Restart();
    } else if (die < 4) {
      Kill(&member);
      Start(&member);
    } else if (die < 60 && member.held.size() < kMostHeld) {
      Lease(member);
    } else if (die < 150 && !on_their_way_.empty() &&
               member.held.size() < kMostHeld) {
      Take(member);
    } else if (die < 280 && !member.held.empty()) {
      Give(member);
    } else if (!member.held.empty()) {
      Drop(member);
    }
  }

  bool NothingIsLeft() {
    RawClient client(daemon_.target());
    v1::GetStatsResponse stats;
    return client
               .Call(&RawClient::Stub::GetStats, v1::GetStatsRequest(), &stats)
               .ok() &&
           stats.bytes().leased_bytes() == 0 &&
           stats.bytes().quarantined_bytes() == 0;
  }

  const uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
  DaemonProcess daemon_{{"--capacity_bytes=512MiB"}};
  Member members_[kMembers];
  std::vector<Held> on_their_way_;
  uint64_t last_stamp_ = 0;
  int deaths_ = 0;
  int taken_ = 0;
  int lost_ = 0;
};

TEST_F(ChannelCrashTest, NobodyGetsWhatAnotherHas) {
  SCOPED_TRACE(absl::StrCat("seed ", seed_));
  for (Member& member : members_) Start(&member);
  for (int step = 0; step < kSteps && !HasFailure(); ++step) Step();
  EXPECT_GT(taken_, kSteps / 20);
  RecordProperty("taken", taken_);
  RecordProperty("lost", lost_);
  for (Member& member : members_) Kill(&member);
  EXPECT_TRUE(Eventually([&] { return NothingIsLeft(); }, absl::Seconds(20)));
}

}  // namespace
}  // namespace warmpool::testing
