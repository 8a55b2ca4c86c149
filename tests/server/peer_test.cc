#include "server/peer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmock/gmock.h"
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
