#include "server/clients/peer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::Contains;

TEST(PeerTest, TheKernelTellsWhoConnected) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd ours(fds[0]), theirs(fds[1]);
  const absl::StatusOr<Peer> peer = KernelPeerSource::Get().PeerOf(ours.get());
  ASSERT_THAT(peer, IsOk());
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(peer->credentials.uid, geteuid());
  EXPECT_THAT(peer->credentials.gids, Contains(getegid()));
  EXPECT_FALSE(peer->command.empty());
  EXPECT_NE(peer->instance, 0u);
  ASSERT_TRUE(peer->pidfd.valid());
  EXPECT_FALSE(HasEnded(peer->pidfd));
}

TEST(PeerTest, AProcessIsTheSameInstanceByNumberAsByConnection) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd ours(fds[0]), theirs(fds[1]);
  EXPECT_EQ(KernelPeerSource::Get().PeerOf(ours.get())->instance,
            KernelPeerSource::Get().ProcessOf(getpid())->instance);
  EXPECT_NE(KernelPeerSource::Get().ProcessOf(getpid())->instance,
            KernelPeerSource::Get().ProcessOf(getppid())->instance);
}

TEST(PeerTest, AProcessThatHasEndedIsSeenToHaveAndIsFoundNoMore) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const absl::StatusOr<Peer> peer = KernelPeerSource::Get().ProcessOf(child);
  ASSERT_THAT(peer, IsOk());
  EXPECT_FALSE(HasEnded(peer->pidfd));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(HasEnded(peer->pidfd));
  EXPECT_THAT(KernelPeerSource::Get().ProcessOf(child),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(PeerTest, WithoutADescriptorOnlyTheDeadAreFoundNoMore) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status dead = KernelPeerSource::Get().ProcessOf(child).status();
  const absl::Status living =
      KernelPeerSource::Get().ProcessOf(getpid()).status();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(dead, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(living, StatusIs(absl::StatusCode::kResourceExhausted));
}

// Its number may be another process's by the time that it is looked at.
TEST(PeerTest, WhoConnectedAndEndedIsRefused) {
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // An abstract address of the kernel's choice.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof(sa_family_t);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.get(), name, size), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  size = sizeof(address);
  ASSERT_EQ(getsockname(listener.get(), name, &size), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    _exit(connect(client, name, size) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const UniqueFd accepted(accept(listener.get(), nullptr, nullptr));
  ASSERT_TRUE(accepted.valid());
  EXPECT_THAT(KernelPeerSource::Get().PeerOf(accepted.get()),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST(PeerTest, WhatIsNoConnectionHasNoPeer) {
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(KernelPeerSource::Get().PeerOf(file.get()).ok());
}

TEST(StartTimeTest, IsTheTwentySecondField) {
  EXPECT_EQ(StartTimeIn("7 (sh) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 "
                        "20 21 12345 23 24\n"),
            12345u);
}

TEST(StartTimeTest, ACommandsNameDoesNotConfuseIt) {
  EXPECT_EQ(StartTimeIn("7 (a) S 1 (b c) S 4 5 6 7 8 9 10 11 12 13 14 15 16 "
                        "17 18 19 20 21 12345 23\n"),
            12345u);
}

TEST(StartTimeTest, IsNoneInWhatIsNoStatFile) {
  for (const char* const text :
       {"", ")", "7 sh S 4", "7 (sh) S 4 5 6 7",
        "7 (sh) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 -x 23"}) {
    EXPECT_EQ(StartTimeIn(text), 0u) << text;
  }
}

}  // namespace
}  // namespace warmpool
