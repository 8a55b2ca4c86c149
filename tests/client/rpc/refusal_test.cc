// What a process is told that no daemon serves. In a binary of its own, since
// its children are forked before gRPC is used. Needs root.
#include "client/rpc/refusal.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::warmpool::testing::DaemonProcess;

constexpr uid_t kAlice = 54321;
constexpr uid_t kCarol = 54323;

// How a process of the uid's gets on that connects: "OK", or the status.
std::string ConnectAs(uid_t uid, const std::string& target) {
  int answer[2];
  EXPECT_EQ(pipe(answer), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string told = "can't become that user";
    if (setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0) {
      told = Client::Connect(target, {.deadline = absl::Seconds(10)})
                 .status()
                 .ToString();
    }
    _exit(write(answer[1], told.data(), told.size()) < 0);
  }
  close(answer[1]);
  char told[2048];
  const ssize_t got = read(answer[0], told, sizeof(told));
  close(answer[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return std::string(told, got > 0 ? static_cast<size_t>(got) : 0);
}

void LetPass(const DaemonProcess& daemon) {
  std::filesystem::permissions(
      std::filesystem::path(daemon.target().substr(5)).parent_path(),
      std::filesystem::perms::others_exec, std::filesystem::perm_options::add);
}

class RefusalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  }
};

TEST_F(RefusalTest, WhoIsNotServedIsToldSoAndWhatTheAdministratorDoes) {
  DaemonProcess daemon({absl::StrCat("--allow_uid=", kAlice)});
  LetPass(daemon);
  EXPECT_EQ(ConnectAs(kAlice, daemon.target()), "OK");
  EXPECT_THAT(ConnectAs(kCarol, daemon.target()),
              AllOf(StartsWith("PERMISSION_DENIED"),
                    HasSubstr("uid 54323 is not served"),
                    HasSubstr("--allow_uid=54323"), HasSubstr("--allow_gid"),
                    Not(HasSubstr("no daemon"))));
}

TEST_F(RefusalTest, WhoMayNotConnectIsToldWhatTheAdministratorDoes) {
  DaemonProcess daemon;
  EXPECT_THAT(
      ConnectAs(kCarol, daemon.target()),
      AllOf(StartsWith("PERMISSION_DENIED"),
            HasSubstr("may not pass the directory of"),
            HasSubstr("--allow_uid=54323"), Not(HasSubstr("no daemon"))));
  LetPass(daemon);
  EXPECT_THAT(
      ConnectAs(kCarol, daemon.target()),
      AllOf(StartsWith("PERMISSION_DENIED"),
            HasSubstr("uid 54323 may not connect to"),
            HasSubstr("--allow_uid=54323"), Not(HasSubstr("no daemon"))));
}

TEST(RefusalInTest, FindsTheReasonBehindOtherFrames) {
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string refusal(
      "\0\0\x0a\7\0\0\0\0\0\0\0\0\0\0\0\0\x0c"
      "no",
      19);
  EXPECT_THAT(RefusalIn(settings + refusal),
              StatusIs(absl::StatusCode::kPermissionDenied, "no"));
  std::string busy = refusal;
  busy[16] = '\x0b';
  busy[17] = '\x1b';
  EXPECT_THAT(RefusalIn(busy), StatusIs(absl::StatusCode::kUnavailable, "?o"));
}

TEST(RefusalInTest, WhatIsNoRefusalIsNone) {
  const std::string refusal(
      "\0\0\x0a\7\0\0\0\0\0\0\0\0\0\0\0\0\x0c"
      "no",
      19);
  for (size_t size = 0; size < refusal.size(); ++size) {
    EXPECT_THAT(RefusalIn(refusal.substr(0, size)), IsOk());
  }
  EXPECT_THAT(RefusalIn("HTTP/1.1 400 Bad Request"), IsOk());
}

// The reason, and one end of a connection on which it is sent.
class AwaitRefusalTest : public ::testing::Test {
 protected:
  // Each piece that is sent on a SOCK_SEQPACKET is received by itself.
  void Open(int type) { ASSERT_EQ(socketpair(AF_UNIX, type, 0, ends_), 0); }

  void Send(absl::string_view piece) {
    ASSERT_EQ(send(ends_[1], piece.data(), piece.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(piece.size()));
  }

  void TearDown() override {
    close(ends_[0]);
    close(ends_[1]);
  }

  const std::string refusal_ = std::string(
      "\0\0\x0a\7\0\0\0\0\0\0\0\0\0\0\0\0\x0c"
      "no",
      19);
  int ends_[2] = {-1, -1};
};

TEST_F(AwaitRefusalTest, TheReasonMayComeInPieces) {
  Open(SOCK_SEQPACKET);
  for (const char& byte : refusal_) Send(absl::string_view(&byte, 1));
  EXPECT_THAT(AwaitRefusal(ends_[0], absl::Seconds(30)),
              StatusIs(absl::StatusCode::kPermissionDenied, "no"));
}

TEST_F(AwaitRefusalTest, OneThatIsCutOffIsNone) {
  Open(SOCK_STREAM);
  Send(refusal_.substr(0, 18));
  shutdown(ends_[1], SHUT_WR);
  EXPECT_THAT(AwaitRefusal(ends_[0], absl::Seconds(30)), IsOk());
}

// What the handler sends, a byte with every signal.
int signal_end = -1;
std::string* signal_text = nullptr;
volatile sig_atomic_t signals_seen = 0;

void SendNextByte(int) {
  const size_t next = static_cast<size_t>(signals_seen);
  if (next >= signal_text->size()) return;
  signals_seen = signals_seen + 1;
  if (write(signal_end, signal_text->data() + next, 1) != 1) _exit(1);
}

TEST_F(AwaitRefusalTest, SignalsDoNotEndTheWait) {
  Open(SOCK_STREAM);
  std::string text = refusal_;
  signal_end = ends_[1];
  signal_text = &text;
  struct sigaction handler = {}, before;
  handler.sa_handler = SendNextByte;
  ASSERT_EQ(sigaction(SIGALRM, &handler, &before), 0);
  const itimerval often = {{0, 1000}, {0, 1000}};
  const itimerval never = {};
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  EXPECT_THAT(AwaitRefusal(ends_[0], absl::Seconds(30)),
              StatusIs(absl::StatusCode::kPermissionDenied, "no"));
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
}

}  // namespace
}  // namespace warmpool
