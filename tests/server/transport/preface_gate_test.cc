#include "server/transport/preface_gate.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

const std::string kMagic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// A SETTINGS frame with `settings` settings.
std::string Settings(int settings) {
  std::string frame(9 + 6 * settings, '\0');
  frame[1] = static_cast<char>(6 * settings >> 8);
  frame[2] = static_cast<char>(6 * settings);
  frame[3] = 4;
  return frame;
}

TEST(JudgePrefaceTest, IsCompleteWithItsSettingsAndWhateverComesAfter) {
  EXPECT_EQ(JudgePreface(kMagic + Settings(0)), Preface::kComplete);
  EXPECT_EQ(JudgePreface(kMagic + Settings(6)), Preface::kComplete);
  EXPECT_EQ(JudgePreface(kMagic + Settings(64)), Preface::kComplete);
  EXPECT_EQ(JudgePreface(kMagic + Settings(6) + "and more"),
            Preface::kComplete);
}

TEST(JudgePrefaceTest, EveryBeginningOfItIsIncomplete) {
  const std::string whole = kMagic + Settings(3);
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_EQ(JudgePreface(whole.substr(0, bytes)), Preface::kIncomplete)
        << bytes;
  }
}

TEST(JudgePrefaceTest, AnythingElseIsWrong) {
  std::string acknowledged = Settings(0);
  acknowledged[4] = 1;
  std::string of_a_stream = Settings(0);
  of_a_stream[8] = 1;
  std::string headers = Settings(0);
  headers[3] = 1;
  std::string odd = Settings(1);
  odd[2] = 5;
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string("P!"),
        kMagic + acknowledged, kMagic + of_a_stream, kMagic + headers,
        kMagic + odd, kMagic + Settings(65)}) {
    EXPECT_EQ(JudgePreface(bytes), Preface::kWrong);
  }
}

// What comes out of the gate, told over a socket pair: the test waits for it
// without a clock.
class PrefaceGateTest : public testing::Test {
 protected:
  void Start(absl::Duration time_limit) {
    gate_ = *PrefaceGate::Create(
        &MonotonicClock::Get(),
        [](UniqueFd connection) {
          // The preface must still be there to be read.
          char bytes[4096];
          const ssize_t got =
              recv(connection.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
          const std::string told = absl::StrCat("passed ", got);
          send(connection.get(), told.data(), told.size(), 0);
        },
        time_limit);
  }

  // A connection; its far end is in the gate.
  UniqueFd Connect() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
      std::abort();
    }
    gate_->Hold(UniqueFd(fds[1]));
    return UniqueFd(fds[0]);
  }
  static void Say(const UniqueFd& fd, const std::string& bytes) {
    EXPECT_EQ(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // All that comes until the connection ends; "" for one that was cut.
  static std::string HearOut(const UniqueFd& fd) {
    std::string all;
    char bytes[100];
    for (ssize_t got; (got = recv(fd.get(), bytes, sizeof(bytes), 0)) > 0;) {
      all.append(bytes, static_cast<size_t>(got));
    }
    return all;
  }

  std::unique_ptr<PrefaceGate> gate_;
};

TEST_F(PrefaceGateTest, PassesOnWhoHasBegunWithItsBytesUnread) {
  Start(absl::InfiniteDuration());
  const UniqueFd client = Connect();
  Say(client, kMagic + Settings(1));
  EXPECT_EQ(HearOut(client), "passed 39");
}

TEST_F(PrefaceGateTest, PassesOnWhoBeginsByAndBy) {
  Start(absl::InfiniteDuration());
  const UniqueFd client = Connect();
  for (const char c : kMagic + Settings(0)) Say(client, std::string(1, c));
  EXPECT_EQ(HearOut(client), "passed 33");
}

TEST_F(PrefaceGateTest, CutsWhoSpeaksAnotherProtocolAtOnce) {
  Start(absl::InfiniteDuration());
  const UniqueFd client = Connect();
  Say(client, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(HearOut(client), "");
}

TEST_F(PrefaceGateTest, CutsWhoHangsAfterTheTimeLimitAndNobodyElse) {
  Start(absl::Milliseconds(50));
  const UniqueFd silent = Connect();
  const UniqueFd hung = Connect();
  Say(hung, kMagic);
  const UniqueFd client = Connect();
  Say(client, kMagic + Settings(0));
  EXPECT_EQ(HearOut(client), "passed 33");
  EXPECT_EQ(HearOut(silent), "");
  EXPECT_EQ(HearOut(hung), "");
}

TEST_F(PrefaceGateTest, WhoHangsHoldsUpNobody) {
  Start(absl::InfiniteDuration());
  std::vector<UniqueFd> hung;
  for (int i = 0; i < 100; ++i) {
    hung.push_back(Connect());
    Say(hung.back(), kMagic.substr(0, i % 24));
  }
  const UniqueFd client = Connect();
  Say(client, kMagic + Settings(0));
  EXPECT_EQ(HearOut(client), "passed 33");
}

TEST_F(PrefaceGateTest, CutsAtOnceWhoWillSayNoMore) {
  Start(absl::InfiniteDuration());
  const UniqueFd silent = Connect();
  shutdown(silent.get(), SHUT_WR);
  EXPECT_EQ(HearOut(silent), "");
  const UniqueFd half = Connect();
  Say(half, kMagic);
  shutdown(half.get(), SHUT_WR);
  EXPECT_EQ(HearOut(half), "");
}

TEST_F(PrefaceGateTest, StopCutsThoseThatWait) {
  Start(absl::InfiniteDuration());
  const UniqueFd waiting = Connect();
  gate_->Stop();
  EXPECT_EQ(HearOut(waiting), "");
  EXPECT_EQ(HearOut(Connect()), "");
}

TEST_F(PrefaceGateTest, AConnectionIsCutThoughADuplicateOfItIsKept) {
  Start(absl::InfiniteDuration());
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd client(fds[0]);
  const UniqueFd duplicate(dup(fds[1]));
  gate_->Hold(UniqueFd(fds[1]));
  Say(client, "no");
  EXPECT_EQ(HearOut(client), "");
}

}  // namespace
}  // namespace warmpool
