// Receivers of a channel that are killed with tokens unread in their sockets:
// what was given to them comes back while the sender goes on.
#include <signal.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr uint64_t kBufferBytes = 1 << 20;
constexpr uint64_t kMaxBytes = 16 * kBufferBytes;
constexpr int kTakeWithinMs = 1000;

class ChannelLostTokensTest : public ::testing::Test {
 protected:
  static std::string Ask(ChildProcess& member, const std::string& command) {
    member.WriteLine(command);
    return member.ReadLine();
  }

  // The token of a buffer that the sender made and gave; empty: it may not make
  // another as yet.
  std::string MakeAndGive() {
    const std::string made =
        Ask(sender_, absl::StrCat("lease ", kBufferBytes, " 7"));
    if (made == "error RESOURCE_EXHAUSTED") return "";
    EXPECT_TRUE(absl::StartsWith(made, "has ")) << made;
    const std::string given =
        Ask(sender_, absl::StrCat("give ", made.substr(4), " 7"));
    EXPECT_TRUE(absl::StartsWith(given, "gave ")) << given;
    EXPECT_LE(Held(), kMaxBytes);
    return given.substr(5);
  }

  // As many as it may.
  std::vector<std::string> GiveAll() {
    std::vector<std::string> tokens;
    for (std::string token = MakeAndGive(); !token.empty() && !HasFailure();
         token = MakeAndGive()) {
      tokens.push_back(token);
    }
    return tokens;
  }

  // Bytes of the channel that nobody else can use.
  uint64_t Held() {
    v1::GetStatsResponse stats;
    const grpc::Status status =
        client_.Call(&RawClient::Stub::GetStats, v1::GetStatsRequest(), &stats);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return stats.bytes().leased_bytes() + stats.bytes().quarantined_bytes();
  }

  static void SendUnread(const std::vector<std::string>& tokens,
                         ChildProcess* receiver) {
    for (const std::string& token : tokens) {
      receiver->WriteLine(absl::StrCat("take ", token, " 7 8"));
    }
  }

  DaemonProcess daemon_{{"--capacity_bytes=256MiB"}};
  RawClient client_{daemon_.target()};
  ChildProcess sender_{{"tests/e2e/channel_member", daemon_.target(),
                        absl::StrCat(kTakeWithinMs), absl::StrCat(kMaxBytes)}};
};

TEST_F(ChannelLostTokensTest, WhatADeadReceiverWasGivenComesBackByItself) {
  std::vector<std::string> lost;
  uint64_t given = 0;
  for (int dead = 0; dead < 2; ++dead) {
    ChildProcess receiver{{"tests/e2e/channel_member", daemon_.target()}};
    receiver.Signal(SIGSTOP);
    // Once the one before is dead for long enough.
    EXPECT_TRUE(Eventually([&] {
      lost = GiveAll();
      given += lost.size();
      return !lost.empty() || HasFailure();
    }));
    SendUnread(lost, &receiver);
    receiver.Signal(SIGKILL);
    receiver.Wait();
  }
  // The sender may make as many again as were lost the first time, and what was
  // lost last comes back without any.
  EXPECT_GT(given, kMaxBytes / kBufferBytes);
  EXPECT_TRUE(Eventually([&] { return Held() == 0; }));
  // The sender lives, and goes on.
  EXPECT_NE(MakeAndGive(), "");
}

TEST_F(ChannelLostTokensTest, ATokenThatComesTooLateIsRefused) {
  const std::string token = MakeAndGive();
  ChildProcess receiver{{"tests/e2e/channel_member", daemon_.target()}};
  EXPECT_TRUE(Eventually([&] { return Held() == 0; }));
  EXPECT_EQ(Ask(receiver, absl::StrCat("take ", token, " 7 8")),
            "error NOT_FOUND");
}

TEST_F(ChannelLostTokensTest, AReceiverThatLivesKeepsWhatItTook) {
  const std::string token = MakeAndGive();
  ChildProcess receiver{{"tests/e2e/channel_member", daemon_.target()}};
  const std::string taken = Ask(receiver, absl::StrCat("take ", token, " 7 8"));
  ASSERT_TRUE(absl::StartsWith(taken, "has ")) << taken;
  // While it stands still, others' tokens are lost, and come back.
  receiver.Signal(SIGSTOP);
  for (int round = 0; round < 2; ++round) {
    (void)GiveAll();
    EXPECT_TRUE(Eventually([&] { return Held() == kBufferBytes; }));
  }
  receiver.Signal(SIGCONT);
  const std::string back =
      Ask(receiver, absl::StrCat("give ", taken.substr(4), " 8"));
  ASSERT_TRUE(absl::StartsWith(back, "gave ")) << back;
  const std::string home =
      Ask(sender_, absl::StrCat("take ", back.substr(5), " 8 9"));
  EXPECT_TRUE(absl::StartsWith(home, "has ")) << home;
}

}  // namespace
}  // namespace warmpool::testing
