// NoSharingFixture: a holder's process that keeps a way to its segment's pages,
// and the question whether anybody else is ever given them.
#ifndef WARMPOOL_TESTS_CORE_ENGINE_NO_SHARING_FIXTURE_H_
#define WARMPOOL_TESTS_CORE_ENGINE_NO_SHARING_FIXTURE_H_

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/engine/segment_pool_fixture.h"
#include "tests/core/memory/other_process.h"

namespace warmpool {

// As root the holder and the stranger are two uids, each in a process of its
// own; else the stranger is one in name only.
class NoSharingFixture : public SegmentPoolFixture {
 protected:
  static constexpr uint64_t kBytes = 64 * kKiB;

  NoSharingFixture() {
    Make(InlineOptions());
    // Other uids reach the segments through it, and can leave files in it.
    chmod(scratch_.path().c_str(), 0711);
    mkdir(Common("").c_str(), 0700);
    chmod(Common("").c_str(), 01777);
  }

  std::string Common(const std::string& name) const {
    return scratch_.Join("common/" + name);
  }

  static ino_t InodeOf(const Segment& segment) { return segment.parts().inode; }

  // What a holder's deed is done as.
  std::function<bool()> AsHolder(std::function<bool()> deed) const {
    return [deed = std::move(deed), uid = holder_] {
      return BecomeUid(uid) && deed();
    };
  }

  // Whatever anybody asks for, it is not that file.
  void ExpectGivenToNobody(ino_t inode) {
    std::vector<Segment> segments;
    for (const uid_t uid : {holder_, stranger_}) {
      for (int i = 0; i < 3; ++i) {
        segments.push_back(Acquire(kBytes, uid));
        EXPECT_NE(InodeOf(segments.back()), inode) << "uid " << uid;
      }
    }
    for (Segment& segment : segments) Return(std::move(segment));
    ExpectEveryByteAccountedFor();
  }

  void TickFor(absl::Duration duration) {
    const absl::Time end = clock_.Now() + duration;
    while (clock_.Now() < end) TickAfter(absl::Milliseconds(10));
  }

  // The segment is returned while somebody has it: it is given to nobody, and
  // soon nobody can open it by its path.
  void ExpectQuarantined(Segment segment) {
    const std::string path = directory_->PathOf(segment);
    const ino_t inode = InodeOf(segment);
    Return(std::move(segment));
    EXPECT_EQ(In(ByteState::kQuarantined), kBytes);
    ExpectGivenToNobody(inode);
    TickFor(absl::Seconds(3));
    EXPECT_EQ(In(ByteState::kQuarantined), kBytes);
    EXPECT_FALSE(std::filesystem::exists(path));
    ExpectGivenToNobody(inode);
  }

  // Once nobody has it any more. Right after a death the kernel may hold on for
  // a moment.
  void ExpectEnded() {
    for (int i = 0; i < 1'000'000; ++i) {
      if (In(ByteState::kQuarantined) == 0) break;
      TickAfter(Quarantine::kLongestPause);
    }
    pool_->Drain();
    EXPECT_EQ(pool_->stats().ledger.used(), 0u);
    EXPECT_EQ(AllocatedBytes(scratch_.path()), 0u);
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  }

  // A holder that does the deed with its segment's path and lives on after its
  // lease has ended.
  void ExpectNeverShared(const std::function<bool(const std::string&)>& deed) {
    Segment segment = Acquire(kBytes, holder_);
    const std::string path = directory_->PathOf(segment);
    OtherProcess holder(AsHolder([&] { return deed(path); }));
    ASSERT_TRUE(holder.succeeded());
    ExpectQuarantined(std::move(segment));
    holder.Kill();
    ExpectEnded();
  }

  const bool root_ = SegmentDirectory::MayServeOtherUids();
  const uid_t holder_ = root_ ? 1001 : geteuid();
  const uid_t stranger_ = holder_ + 1;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_ENGINE_NO_SHARING_FIXTURE_H_
