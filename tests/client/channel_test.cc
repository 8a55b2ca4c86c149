// Channels: buffers passed on among clients of a real daemon by their tokens.
#include "warmpool/channel.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "client/channels/channel_token.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::warmpool::testing::ChildProcess;
using ::warmpool::testing::DaemonProcess;
using ::warmpool::testing::Eventually;

constexpr uint64_t kTwoMiB = 2 << 20;
// Longer than any test.
constexpr absl::Duration kNeverIdle = absl::Minutes(10);
// Takes a token for lost at once.
constexpr ChannelOptions kImpatient = {.idle = kNeverIdle,
                                       .take_within = absl::Milliseconds(50)};

class ChannelTest : public ::testing::Test {
 protected:
  Client Connect() {
    absl::StatusOr<Client> client = Client::Connect(daemon_.target());
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  std::vector<v1::Buffer> Buffers() { return admin_->ListBuffers().value(); }
  uint64_t Granted() {
    const auto stats = admin_->GetStats().value();
    return stats.leases().granted_warm() + stats.leases().granted_stock() +
           stats.leases().granted_fresh() + stats.leases().granted_attached();
  }

  bool NothingIsHeld() {
    const v1::GetStatsResponse stats = admin_->GetStats().value();
    return stats.bytes().leased_bytes() == 0 &&
           stats.bytes().quarantined_bytes() == 0;
  }

  // Mappings of the daemon's segments in this process.
  int MappedSegments() {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);) {
      if (line.find(daemon_.shm_dir()) != std::string::npos) ++count;
    }
    return count;
  }

  // To the taker and back again. Returns where the taker had it.
  const std::byte* RoundTrip(ChannelBuffer* buffer, char stamp) {
    std::memset(buffer->data(), stamp, buffer->size());
    absl::StatusOr<ChannelBuffer> there = taking_.Take(buffer->Give().value());
    EXPECT_THAT(there, IsOk());
    EXPECT_EQ(there->span().back(), static_cast<std::byte>(stamp));
    const std::byte* const at = there->data();
    absl::StatusOr<ChannelBuffer> back = giving_.Take(there->Give().value());
    EXPECT_THAT(back, IsOk());
    *buffer = *std::move(back);
    return at;
  }

  DaemonProcess daemon_{{"--capacity_bytes=256MiB", "--drain_timeout=0"}};
  const std::shared_ptr<AdminCalls> admin_ =
      AdminCalls::Open(daemon_.target()).value();
  Client giver_ = Connect();
  Client taker_ = Connect();
  Channel giving_ = giver_.OpenChannel("frames", {.idle = kNeverIdle});
  Channel taking_ = taker_.OpenChannel("frames", {.idle = kNeverIdle});
};

TEST_F(ChannelTest, ABufferGoesToAndFroWithoutTheDaemon) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  const std::byte* const here = buffer.data();
  const std::byte* const there = RoundTrip(&buffer, 'a');
  const uint64_t granted = Granted();
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(RoundTrip(&buffer, static_cast<char>(round)), there);
    EXPECT_EQ(buffer.data(), here);
  }
  EXPECT_EQ(Granted(), granted);
  EXPECT_EQ(Buffers().size(), 1u);
}

TEST_F(ChannelTest, TheDaemonShowsTheChannelWithItsMembers) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  RoundTrip(&buffer, 'a');
  const std::vector<v1::Buffer> buffers = Buffers();
  ASSERT_EQ(buffers.size(), 1u);
  EXPECT_EQ(buffers[0].channel(), "frames");
  EXPECT_EQ(buffers[0].leases_size(), 2);
  EXPECT_EQ(buffers[0].leases(0).ttl_left().seconds(), 0);
}

TEST_F(ChannelTest, WhatIsPutBackIsLeasedAgain) {
  const std::byte* const first = giving_.Lease(kTwoMiB).value().data();
  ChannelBuffer again = giving_.Lease(kTwoMiB - 1).value();
  EXPECT_EQ(again.data(), first);
  EXPECT_EQ(again.size(), kTwoMiB - 1);
  EXPECT_NE(giving_.Lease(kTwoMiB).value().data(), first) << "it is in use";
  const ChannelBuffer taken = taking_.Take(again.Give().value()).value();
  EXPECT_EQ(taken.size(), kTwoMiB - 1);
}

TEST_F(ChannelTest, ATokenIsTakenOnce) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  const std::string token = buffer.Give().value();
  EXPECT_FALSE(buffer.valid());
  EXPECT_EQ(token.size(), ChannelToken::kBytes);
  ChannelBuffer taken = taking_.Take(token).value();
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("taken before"));
  EXPECT_THAT(taking_.Take(token), refused) << "in use";
  const std::string back = taken.Give().value();
  EXPECT_THAT(taking_.Take(token), refused) << "away";
  ChannelBuffer home = giving_.Take(back).value();
  EXPECT_THAT(giving_.Take(token), refused);
  home = ChannelBuffer();
  EXPECT_THAT(giving_.Take(back), refused) << "free";
}

TEST_F(ChannelTest, RefusesWhatIsNoToken) {
  std::string no_bytes = ChannelToken{{1, 2}, 1, 0}.ToText();
  for (const std::string& token :
       {std::string(), std::string(31, 'x'), std::string(33, 'x'), no_bytes}) {
    EXPECT_THAT(taking_.Take(token),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(taking_.Take(ChannelToken{{1, 2}, 1, 1}.ToText()),
              StatusIs(absl::StatusCode::kNotFound));
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  ChannelToken too_long = *ChannelToken::Parse(buffer.Give().value());
  too_long.size = kTwoMiB + 1;
  EXPECT_THAT(taking_.Take(too_long.ToText()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  Channel other = taker_.OpenChannel("others");
  too_long.size = kTwoMiB;
  EXPECT_THAT(other.Take(too_long.ToText()),
              StatusIs(absl::StatusCode::kNotFound))
      << "another channel's";
  EXPECT_THAT(taking_.Take(too_long.ToText()), IsOk());
  EXPECT_THAT(taker_.OpenChannel("a b").Lease(1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("channel's name")));
}

TEST_F(ChannelTest, WhatLiesIdleIsEndedForAll) {
  Channel impatient =
      giver_.OpenChannel("frames", {.idle = absl::Milliseconds(50)});
  ChannelBuffer buffer = impatient.Lease(kTwoMiB).value();
  ChannelBuffer taken = taking_.Take(buffer.Give().value()).value();
  buffer = impatient.Take(taken.Give().value()).value();
  EXPECT_EQ(Buffers().size(), 1u);
  buffer = ChannelBuffer();
  EXPECT_TRUE(Eventually([&] { return Buffers().empty(); }));
  // The taker unmaps it too, or its memory would be in quarantine for ever.
  EXPECT_TRUE(Eventually([&] { return NothingIsHeld(); }));
}

TEST_F(ChannelTest, AClosedChannelLeavesNothingBehind) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  RoundTrip(&buffer, 'a');
  { const Channel closed = std::move(giving_); }
  EXPECT_EQ(buffer.span().back(), std::byte{'a'}) << "it outlives its channel";
  buffer = ChannelBuffer();
  EXPECT_TRUE(Eventually([&] { return Buffers().empty(); }));
}

TEST_F(ChannelTest, AGiverMayCloseBeforeItsBufferIsTaken) {
  std::string given_before;
  std::string given_after;
  {
    Channel closing = giver_.OpenChannel("frames");
    ChannelBuffer first = closing.Lease(kTwoMiB).value();
    ChannelBuffer second = closing.Lease(kTwoMiB).value();
    std::memset(first.data(), 1, first.size());
    std::memset(second.data(), 2, second.size());
    given_before = first.Give().value();
    { const Channel closed = std::move(closing); }
    given_after = second.Give().value();
  }
  EXPECT_EQ(taking_.Take(given_before).value().data()[5], std::byte{1});
  EXPECT_EQ(taking_.Take(given_after).value().data()[5], std::byte{2});
}

TEST_F(ChannelTest, ADaemonThatRestartsChangesNothing) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  const std::byte* const there = RoundTrip(&buffer, 'a');
  daemon_.Kill();
  EXPECT_EQ(RoundTrip(&buffer, 'b'), there);
  daemon_.Restart();
  EXPECT_EQ(RoundTrip(&buffer, 'c'), there);
  // Another that only the next daemon knows.
  ChannelBuffer second = giving_.Lease(kTwoMiB).value();
  RoundTrip(&second, 'd');
  EXPECT_TRUE(Eventually([&] {
    size_t leases = 0;
    for (const v1::Buffer& one : Buffers()) leases += one.leases_size();
    return leases == 4;
  }));
}

TEST_F(ChannelTest, WhatIsEndedWhileThereIsNoDaemonEndsForAll) {
  Channel impatient =
      giver_.OpenChannel("frames", {.idle = absl::Milliseconds(50)});
  ChannelBuffer buffer = impatient.Lease(kTwoMiB).value();
  ChannelBuffer taken = taking_.Take(buffer.Give().value()).value();
  buffer = impatient.Take(taken.Give().value()).value();
  daemon_.Kill();
  buffer = ChannelBuffer();
  // It is let go of while nobody hears of it.
  EXPECT_TRUE(Eventually([&] { return MappedSegments() == 1; }));
  daemon_.Restart();
  EXPECT_TRUE(Eventually([&] { return Buffers().empty(); }));
  EXPECT_TRUE(Eventually([&] { return MappedSegments() == 0; }));
}

TEST_F(ChannelTest, AFullMachineGetsBackWhatLiesFree) {
  { const ChannelBuffer large = giving_.Lease(128 * kTwoMiB / 2).value(); }
  EXPECT_THAT(giving_.Lease(200 << 20), IsOk());
}

TEST_F(ChannelTest, AProcessMakesSoManyBuffersAndNoMore) {
  Channel limited =
      giver_.OpenChannel("frames", {.idle = kNeverIdle, .max_buffers = 2});
  ChannelBuffer first = limited.Lease(kTwoMiB).value();
  const ChannelBuffer second = limited.Lease(4096).value();
  const auto refused =
      StatusIs(absl::StatusCode::kResourceExhausted,
               AllOf(HasSubstr("\"frames\""), HasSubstr("max_buffers, 2"),
                     HasSubstr("raise the limit")));
  EXPECT_THAT(limited.Lease(kTwoMiB), refused);
  ChannelBuffer there = taking_.Take(first.Give().value()).value();
  EXPECT_THAT(limited.Lease(kTwoMiB), refused) << "it is still its maker's";
  EXPECT_THAT(taking_.Lease(kTwoMiB), IsOk()) << "another member's limit";
  EXPECT_THAT(limited.Take(there.Give().value()), IsOk());
  EXPECT_THAT(limited.Lease(kTwoMiB), IsOk()) << "it lies free";
}

TEST_F(ChannelTest, AProcessMakesSoManyBytesAndNoMore) {
  Channel limited = giver_.OpenChannel(
      "frames", {.idle = kNeverIdle, .max_bytes = 2 * kTwoMiB});
  EXPECT_THAT(limited.Lease(2 * kTwoMiB + 1),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("max_bytes, 4 MiB")));
  const ChannelBuffer first = limited.Lease(kTwoMiB).value();
  {
    const ChannelBuffer second = limited.Lease(kTwoMiB).value();
    EXPECT_THAT(limited.Lease(4096),
                StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_THAT(limited.Lease(4096), IsOk()) << "what lies free makes room";
  EXPECT_TRUE(Eventually([&] { return Buffers().size() == 2; }));
}

TEST_F(ChannelTest, WhatTheDaemonRefusesCountsForNothing) {
  Channel limited = giver_.OpenChannel(
      "frames", {.max_buffers = 1, .max_bytes = uint64_t{1} << 40});
  EXPECT_FALSE(limited.Lease(uint64_t{1} << 39).ok());
  EXPECT_THAT(limited.Lease(4096), IsOk());
}

TEST_F(ChannelTest, NoLimitRefusesWhatOthersMade) {
  Channel limited = taker_.OpenChannel("frames", {.max_buffers = 1});
  ChannelBuffer own = limited.Lease(4096).value();
  ChannelBuffer first = giving_.Lease(4096).value();
  ChannelBuffer second = giving_.Lease(4096).value();
  const auto taken = limited.Take(first.Give().value());
  EXPECT_THAT(taken, IsOk());
  EXPECT_THAT(limited.Take(second.Give().value()), IsOk());
}

TEST_F(ChannelTest, WhatNobodyTakesIsEnded) {
  Channel impatient = giver_.OpenChannel("frames", kImpatient);
  ChannelBuffer buffer = impatient.Lease(kTwoMiB).value();
  const std::string token = buffer.Give().value();
  EXPECT_TRUE(Eventually([&] { return NothingIsHeld(); }));
  const auto late =
      StatusIs(absl::StatusCode::kNotFound,
               AllOf(HasSubstr("\"frames\""), HasSubstr("take_within")));
  EXPECT_THAT(taking_.Take(token), late);
  EXPECT_THAT(impatient.Take(token), late) << "its giver, either";
  EXPECT_EQ(MappedSegments(), 0);
}

TEST_F(ChannelTest, WhatAMemberHasIsNotEndedHoweverLongItKeepsIt) {
  Channel impatient = giver_.OpenChannel("frames", kImpatient);
  ChannelBuffer kept = impatient.Lease(kTwoMiB).value();
  std::memset(kept.data(), 'k', kept.size());
  kept = taking_.Take(kept.Give().value()).value();
  for (int lost = 0; lost < 3; ++lost) {
    // Given later, and ended by then.
    EXPECT_THAT(impatient.Lease(kTwoMiB).value().Give(), IsOk());
    EXPECT_TRUE(Eventually([&] { return Buffers().size() == 1; }));
  }
  EXPECT_EQ(Buffers().at(0).leases_size(), 2);
  EXPECT_EQ(kept.span().back(), std::byte{'k'});
  EXPECT_THAT(impatient.Take(kept.Give().value()), IsOk());
}

TEST_F(ChannelTest, ALostTokenIsFoundThoughAnotherMemberHadItsBufferBefore) {
  Channel impatient = giver_.OpenChannel("frames", kImpatient);
  Channel other = taker_.OpenChannel("frames", kImpatient);
  ChannelBuffer buffer = impatient.Lease(kTwoMiB).value();
  ChannelBuffer there = other.Take(buffer.Give().value()).value();
  buffer = impatient.Take(there.Give().value()).value();
  // The message was lost on its way; both members live.
  EXPECT_THAT(buffer.Give(), IsOk());
  EXPECT_TRUE(Eventually([&] { return NothingIsHeld(); }));
  EXPECT_EQ(MappedSegments(), 0);
}

TEST_F(ChannelTest, WhatAMemberUnmappedInBetweenItMapsAgain) {
  Channel other = taker_.OpenChannel("frames", kImpatient);
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  ChannelBuffer there = other.Take(buffer.Give().value()).value();
  buffer = giving_.Take(there.Give().value()).value();
  EXPECT_TRUE(Eventually([&] { return MappedSegments() == 1; }));
  std::memset(buffer.data(), 'b', buffer.size());
  there = other.Take(buffer.Give().value()).value();
  EXPECT_EQ(there.span().back(), std::byte{'b'});
  EXPECT_THAT(giving_.Take(there.Give().value()), IsOk());
}

TEST_F(ChannelTest, WhatIsLostWhileThereIsNoDaemonEndsOnceThereIsOne) {
  Channel impatient = giver_.OpenChannel("frames", kImpatient);
  ChannelBuffer buffer = impatient.Lease(kTwoMiB).value();
  daemon_.Kill();
  EXPECT_THAT(buffer.Give(), IsOk());
  daemon_.Restart();
  EXPECT_TRUE(Eventually([&] { return NothingIsHeld(); }));
}

TEST_F(ChannelTest, AForkedChildHasNone) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  const pid_t child = fork();
  if (child == 0) {
    const bool refused =
        absl::IsFailedPrecondition(giving_.Lease(1).status()) &&
        absl::IsFailedPrecondition(buffer.Give().status()) &&
        absl::IsFailedPrecondition(giving_.Take("").status());
    { const ChannelBuffer dropped = std::move(buffer); }
    { const Channel closed = std::move(giving_); }
    _exit(refused ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  RoundTrip(&buffer, 'a');
}

// Another process, which takes what it is told and gives it back.
class ChannelPeerTest : public ChannelTest {
 protected:
  // Its token for the buffer of `token`, which has `old` in each page and comes
  // back with `stamp`.
  std::string Echo(const std::string& token, uint64_t old = 0,
                   uint64_t stamp = 0) {
    peer_.WriteLine(absl::StrCat("take ", absl::BytesToHexString(token), " ",
                                 old, " ", stamp));
    std::string answer = peer_.ReadLine();
    EXPECT_THAT(answer, StartsWith("has "));
    peer_.WriteLine(absl::StrCat("give ", answer.substr(4), " ", stamp));
    answer = peer_.ReadLine();
    EXPECT_THAT(answer, StartsWith("gave "));
    return absl::HexStringToBytes(answer.substr(5));
  }
  void KillPeer() {
    peer_.Signal(SIGKILL);
    peer_.Wait();
  }

  ChildProcess peer_{{"tests/e2e/channel_member", daemon_.target()}};
};

TEST_F(ChannelPeerTest, ItsBytesComeBackInPlace) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  uint64_t stamp = 0;
  for (int round = 1; round <= 20; ++round) {
    buffer =
        giving_.Take(Echo(buffer.Give().value(), stamp, stamp + 1)).value();
    for (size_t at = 0; at < buffer.size(); at += 4096) {
      std::memcpy(&stamp, buffer.data() + at, sizeof(stamp));
      ASSERT_EQ(stamp, static_cast<uint64_t>(round));
    }
  }
}

TEST_F(ChannelPeerTest, ADeadMembersBuffersAreSetAside) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  buffer = giving_.Take(Echo(buffer.Give().value())).value();
  ChannelBuffer never_had = giving_.Lease(kTwoMiB).value();
  ChannelBuffer lost = giving_.Lease(kTwoMiB).value();
  lost = giving_.Take(Echo(lost.Give().value())).value();
  const std::string given = lost.Give().value();
  KillPeer();
  EXPECT_TRUE(Eventually([&] { return Buffers().size() == 1; }));
  // It was in use here, and stays so.
  buffer.data()[0] = std::byte{7};
  absl::StatusOr<std::string> refused;
  EXPECT_TRUE(Eventually([&] {
    // Until the daemon's word is here the buffer goes from hand to hand.
    refused = buffer.Give();
    if (refused.ok()) buffer = giving_.Take(*refused).value();
    return !refused.ok();
  }));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("set aside")));
  EXPECT_EQ(buffer.data()[0], std::byte{7});
  buffer = ChannelBuffer();
  const uint64_t granted = Granted();
  EXPECT_THAT(giving_.Lease(kTwoMiB), IsOk());
  EXPECT_EQ(Granted(), granted + 1) << "what was set aside is not used again";
  EXPECT_THAT(never_had.Give(), IsOk()) << "the dead can't have had it";
  // Those that it had are proven free, the one that it died with included.
  EXPECT_TRUE(Eventually([&] {
    return admin_->GetStats().value().bytes().quarantined_bytes() == 0;
  }));
}

TEST_F(ChannelPeerTest, WhoeverIsLeftGoesOn) {
  ChannelBuffer buffer = giving_.Lease(kTwoMiB).value();
  (void)Echo(buffer.Give().value());
  KillPeer();
  ChannelBuffer next = giving_.Lease(kTwoMiB).value();
  RoundTrip(&next, 'a');
}

TEST_F(ChannelTest, ManyThreadsPassThemOn) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 300;
  std::atomic<int> mistakes{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < kRounds; ++round) {
        const auto stamp = static_cast<unsigned char>(t * 64 + round % 64);
        ChannelBuffer buffer = giving_.Lease(4096).value();
        std::memset(buffer.data(), stamp, buffer.size());
        ChannelBuffer there = taking_.Take(buffer.Give().value()).value();
        std::this_thread::yield();
        for (const std::byte byte : there.span()) {
          if (byte != std::byte{stamp}) ++mistakes;
        }
        buffer = giving_.Take(there.Give().value()).value();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(mistakes, 0);
  EXPECT_LE(Buffers().size(), size_t{kThreads});
}

}  // namespace
}  // namespace warmpool
