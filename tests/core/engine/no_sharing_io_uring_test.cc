// No sharing by accident with buffers that are registered with io_uring: their
// pages stay pinned, whatever becomes of the mapping and the file.
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>

#include "core/engine/segment_pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/no_sharing_fixture.h"

namespace warmpool {
namespace {

constexpr size_t kBytes = 64 * kKiB;

// A segment's pages, registered with a ring.
class PinnedPages {
 public:
  bool Pin(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    data_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (data_ == MAP_FAILED) return false;
    const iovec buffer{data_, kBytes};
    return io_uring_queue_init(4, &ring_, 0) == 0 &&
           io_uring_register_buffers(&ring_, &buffer, 1) == 0;
  }

  void Unmap() { munmap(data_, kBytes); }

  // Copies between the first bytes of the pages and an open file.
  bool ReadFrom(int fd, unsigned bytes) {
    io_uring_prep_read_fixed(io_uring_get_sqe(&ring_), fd, data_, bytes, 0, 0);
    return Submit() == int(bytes);
  }
  bool WriteTo(int fd, unsigned bytes) {
    io_uring_prep_write_fixed(io_uring_get_sqe(&ring_), fd, data_, bytes, 0, 0);
    return Submit() == int(bytes);
  }

 private:
  int Submit() {
    io_uring_cqe* entry = nullptr;
    if (io_uring_submit_and_wait(&ring_, 1) < 0) return -1;
    if (io_uring_peek_cqe(&ring_, &entry) < 0) return -1;
    const int result = entry->res;
    io_uring_cqe_seen(&ring_, entry);
    return result;
  }

  void* data_ = nullptr;
  io_uring ring_;
};

// A holder that pins its pages, gives its lease back in good order, and uses
// the pins when it is told to.
class PinningHolder {
 public:
  PinningHolder(uid_t uid, const std::string& path) {
    EXPECT_EQ(pipe(orders_), 0);
    EXPECT_EQ(pipe(answers_), 0);
    pid_ = fork();
    if (pid_ == 0) Live(uid, path);
    pinned_ = Answer() == "pinned";
  }
  ~PinningHolder() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    for (const int fd : {orders_[0], orders_[1], answers_[0], answers_[1]}) {
      close(fd);
    }
  }

  bool pinned() const { return pinned_; }

  // Overwrites the pages; returns what was in them.
  std::string UsePins() {
    EXPECT_EQ(write(orders_[1], "x", 1), 1);
    return Answer();
  }

 private:
  static constexpr unsigned kSample = 6;

  std::string Answer() {
    char text[kSample];
    const ssize_t got = read(answers_[0], text, kSample);
    return std::string(text, got > 0 ? got : 0);
  }

  [[noreturn]] void Live(uid_t uid, const std::string& path) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    PinnedPages pages;
    if (BecomeUid(uid) && pages.Pin(path)) {
      pages.Unmap();
      if (write(answers_[1], "pinned", kSample) < 0) _exit(1);
    } else if (write(answers_[1], "failed", kSample) < 0) {
      _exit(1);
    }
    char order;
    int source[2];
    if (read(orders_[0], &order, 1) == 1 &&
        pages.WriteTo(answers_[1], kSample) && pipe(source) == 0 &&
        write(source[1], "mine!!", kSample) == kSample) {
      pages.ReadFrom(source[0], kSample);
    }
    for (;;) pause();
  }

  int orders_[2];
  int answers_[2];
  pid_t pid_ = -1;
  bool pinned_ = false;
};

class NoSharingIoUringTest : public NoSharingFixture {
 protected:
  void SetUp() override {
    // The system may permit it to some uids only.
    OtherProcess trial(AsHolder([] {
      io_uring ring;
      return io_uring_queue_init(4, &ring, 0) == 0;
    }));
    if (!trial.succeeded()) {
      GTEST_SKIP() << "io_uring is not permitted here (see "
                      "/proc/sys/kernel/io_uring_disabled)";
    }
  }

  std::string Sample(const Segment& segment) {
    char text[6];
    const int fd = open(directory_->PathOf(segment).c_str(), O_RDONLY);
    EXPECT_EQ(pread(fd, text, sizeof(text), 0), ssize_t{6});
    close(fd);
    return std::string(text, sizeof(text));
  }

  void Write(const Segment& segment, const std::string& text) {
    const int fd = open(directory_->PathOf(segment).c_str(), O_WRONLY);
    EXPECT_EQ(pwrite(fd, text.data(), text.size(), 0), ssize_t(text.size()));
    close(fd);
  }
};

TEST_F(NoSharingIoUringTest, WithWhoKeepsTheBufferMapped) {
  ExpectNeverShared([](const std::string& path) {
    // Not to be destroyed: the ring goes with the process.
    return (new PinnedPages)->Pin(path);
  });
}

TEST_F(NoSharingIoUringTest, WithAnotherUidEvenIfTheBufferIsUnmapped) {
  // The kernel tells nobody of the pins: what protects the stranger is that it
  // gets no pages that another uid ever had.
  Segment segment = Acquire(kBytes, holder_);
  const ino_t inode = InodeOf(segment);
  PinningHolder holder(holder_, directory_->PathOf(segment));
  ASSERT_TRUE(holder.pinned());
  Return(std::move(segment));

  Segment strangers = Acquire(kBytes, stranger_);
  EXPECT_NE(InodeOf(strangers), inode);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_EQ(Sample(strangers), std::string(6, '\0'));
  Write(strangers, "theirs");
  // Nor when the pages go back to the kernel meanwhile.
  pool_->Drain();
  Segment after = Acquire(kBytes, stranger_);
  Write(after, "theirs");

  EXPECT_NE(holder.UsePins(), "theirs");
  EXPECT_EQ(Sample(strangers), "theirs");
  EXPECT_EQ(Sample(after), "theirs");
  ExpectEveryByteAccountedFor();
  Return(std::move(strangers));
  Return(std::move(after));
  ExpectEnded();
}

}  // namespace
}  // namespace warmpool
