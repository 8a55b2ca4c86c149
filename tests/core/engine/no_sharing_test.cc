// No sharing by accident: real processes that keep a way to their segment's
// pages after its lease has ended.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>

#include "core/engine/segment_pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/no_sharing_fixture.h"

namespace warmpool {
namespace {

class NoSharingTest : public NoSharingFixture {
 protected:
  static bool Map(const std::string& path,
                  int protection = PROT_READ | PROT_WRITE,
                  int flags = MAP_SHARED) {
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    const bool mapped =
        mmap(nullptr, kBytes, protection, flags, fd, 0) != MAP_FAILED;
    close(fd);
    return mapped;
  }

  // Sends a descriptor of the file over a Unix socket, and closes it.
  static bool Send(int socket, const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    const bool sent = sendmsg(socket, &message, 0) == 1;
    close(fd);
    return sent;
  }

  // Receives a descriptor and keeps it.
  static bool Receive(int socket) {
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    return recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 &&
           CMSG_FIRSTHDR(&message) != nullptr;
  }
};

TEST_F(NoSharingTest, WithWhoKeepsTheSegmentOpen) {
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
    ExpectNeverShared([&](const std::string& path) {
      return open(path.c_str(), flags) >= 0;
    });
    Make(InlineOptions());
  }
}

TEST_F(NoSharingTest, WithWhoKeepsAMapping) {
  ExpectNeverShared([](const std::string& path) { return Map(path); });
}

TEST_F(NoSharingTest, WithWhoKeepsAMappingToRead) {
  ExpectNeverShared([](const std::string& path) {
    return Map(path, PROT_READ, MAP_PRIVATE);
  });
}

TEST_F(NoSharingTest, WithWhoKeepsAHardLinkOpen) {
  ExpectNeverShared([&](const std::string& path) {
    const std::string name = Common("link");
    return link(path.c_str(), name.c_str()) == 0 &&
           open(name.c_str(), O_RDWR) >= 0;
  });
}

TEST_F(NoSharingTest, WithWhoKeepsAHardLinkAlone) {
  Segment segment = Acquire(kBytes, holder_);
  const std::string path = directory_->PathOf(segment);
  const ino_t inode = InodeOf(segment);
  const std::string name = Common("link");
  OtherProcess holder(
      AsHolder([&] { return link(path.c_str(), name.c_str()) == 0; }));
  ASSERT_TRUE(holder.succeeded());
  Return(std::move(segment));
  ExpectGivenToNobody(inode);
  ExpectEnded();
  EXPECT_TRUE(std::filesystem::exists(name)) << "it leads to nothing";
}

TEST_F(NoSharingTest, WithWhoTruncatesTheSegment) {
  for (const uint64_t bytes : {uint64_t{0}, kBytes / 2}) {
    Segment segment = Acquire(kBytes, holder_);
    const std::string path = directory_->PathOf(segment);
    const ino_t inode = InodeOf(segment);
    OtherProcess holder(AsHolder([&] {
      return truncate(path.c_str(), off_t(bytes)) == 0 &&
             truncate(path.c_str(), kBytes) == 0;
    }));
    ASSERT_TRUE(holder.succeeded());
    Return(std::move(segment));
    pool_->FlushBatch();
    ExpectGivenToNobody(inode);
    ExpectEnded();
    Make(InlineOptions());
  }
}

TEST_F(NoSharingTest, WithADescriptorInFlight) {
  ExpectNeverShared([](const std::string& path) {
    int sockets[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 &&
           Send(sockets[0], path);
  });
}

TEST_F(NoSharingTest, WithADescriptorPassedToAnotherProcess) {
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  Segment segment = Acquire(kBytes, holder_);
  const std::string path = directory_->PathOf(segment);
  OtherProcess holder(AsHolder([&] { return Send(sockets[0], path); }));
  ASSERT_TRUE(holder.succeeded());
  // Of another uid, too: the descriptor is all it takes.
  OtherProcess stranger([&] {
    return BecomeUid(root_ ? stranger_ : geteuid()) && Receive(sockets[1]);
  });
  ASSERT_TRUE(stranger.succeeded());
  close(sockets[0]);
  close(sockets[1]);
  holder.Kill();
  ExpectQuarantined(std::move(segment));
  stranger.Kill();
  ExpectEnded();
}

TEST_F(NoSharingTest, WithAChildOfAHolderThatDied) {
  // Where the holder tells the pid of its child.
  pid_t* const heir =
      static_cast<pid_t*>(mmap(nullptr, sizeof(pid_t), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Segment segment = Acquire(kBytes, holder_);
  const std::string path = directory_->PathOf(segment);
  OtherProcess holder(AsHolder([&] {
    if (!Map(path)) return false;
    const pid_t forked = fork();
    if (forked == 0) {
      for (;;) pause();
    }
    *heir = forked;
    return forked > 0;
  }));
  ASSERT_TRUE(holder.succeeded());
  holder.Kill();
  ExpectQuarantined(std::move(segment));
  kill(*heir, SIGKILL);
  ExpectEnded();
  munmap(heir, sizeof(pid_t));
}

TEST_F(NoSharingTest, WithAHolderThatDiesIsNoneAtAll) {
  // What is quarantined for cause is quarantined for that cause only.
  Segment segment = Acquire(kBytes, holder_);
  const std::string path = directory_->PathOf(segment);
  const ino_t inode = InodeOf(segment);
  OtherProcess holder(AsHolder([&] { return Map(path); }));
  ASSERT_TRUE(holder.succeeded());
  holder.Kill();
  Return(std::move(segment));
  for (int i = 0; i < 1'000'000 && In(ByteState::kQuarantined) > 0; ++i) {
    pool_->Tick();
    clock_.Advance(absl::Nanoseconds(1));
  }
  segment = Acquire(kBytes, holder_);
  EXPECT_EQ(InodeOf(segment), inode);
  Return(std::move(segment));
  ExpectEnded();
}

}  // namespace
}  // namespace warmpool
