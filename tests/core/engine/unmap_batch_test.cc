#include "core/engine/unmap_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/memory/pages/aligned_map.h"
#include "core/memory/pages/anonymous_source.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

// Every test runs with a drainer thread and without.
class UnmapBatchTest : public DirectoryFixture,
                       public testing::WithParamInterface<UnmapBatch::Drain> {
 protected:
  void Make(UnmapBatch::Options options = {}) {
    options.drain = GetParam();
    batch_.reset();
    batch_ = std::make_unique<UnmapBatch>(
        &calls_, options, [this](absl::Span<const Segment> ended) {
          ++callbacks_;
          for (const Segment& segment : ended) {
            EXPECT_TRUE(segment.empty());
            ended_bytes_ += segment.bytes();
            ended_tags_ += segment.tag();
          }
        });
  }

  // Private memory: one munmap ends it.
  Segment Mapping(size_t bytes) {
    AnonymousSource source(&calls_);
    Segment segment;
    EXPECT_TRUE(source
                    .Make(SizeClasses().For(bytes).value(), bytes, 0,
                          Purpose::kLease, &segment)
                    .ok());
    return segment;
  }

  // Mappings of 64 KiB that lie side by side, apart from one gap after the
  // first `before_gap`.
  std::vector<Segment> Neighbours(int count, int before_gap) {
    constexpr size_t kBytes = 64 * kKiB;
    const auto map = [&](void* address, size_t bytes) {
      const int64_t mapped = calls_.Map(address, bytes, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1);
      return reinterpret_cast<std::byte*>(mapped);
    };
    // In the midst of much room, where nobody else's mapping comes to lie: the
    // kernel fills it from an end, and other threads map something meanwhile.
    std::byte* const room = map(nullptr, kGiB);
    calls_.Ending().Unmap(room, kGiB);
    std::byte* const start = room + kGiB / 2;
    std::vector<Segment> segments;
    for (int i = 0; i < count; ++i) {
      std::byte* const address =
          start + (i + (i < before_gap ? 0 : 1)) * kBytes;
      Segment segment(SizeClasses().For(kBytes).value(), kBytes, 0);
      segment.parts().reservation = map(address, kBytes);
      segment.parts().reservation_bytes = kBytes;
      EXPECT_EQ(segment.parts().reservation, address);
      segments.push_back(std::move(segment));
    }
    return segments;
  }

  // Adds neighbours in no order, flushes; returns how often the call was made.
  uint64_t CallsToEndNeighbours(UnmapBatch::Unmap unmap, Call call) {
    Make({.unmap = unmap});
    std::vector<Segment> segments = Neighbours(8, /*before_gap=*/3);
    const uint64_t before = calls_.Count(call);
    for (const int i : {5, 0, 7, 2, 1, 4, 6, 3}) Add(std::move(segments[i]));
    Flushed();
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
    EXPECT_EQ(ended_bytes_, 8 * 64 * kKiB);
    ended_bytes_ = 0;
    return calls_.Count(call) - before;
  }

  // A file that is open and mapped: all three calls.
  Segment MappedFile(SegmentDirectory& directory, size_t bytes) {
    Segment segment = MakeOrDie(directory, bytes);
    const int fd = open(directory.PathOf(segment).c_str(), O_RDONLY);
    EXPECT_TRUE(AlignedMap(calls_, PROT_READ, MAP_SHARED, fd, &segment).ok());
    close(fd);
    return segment;
  }

  void Add(Segment segment) {
    batch_->Add(std::move(segment), clock_.Now());
    batch_->CheckInvariants();
  }

  UnmapBatch::Counts Flushed() {
    batch_->Flush();
    batch_->CheckInvariants();
    return batch_->counts();
  }

  // The thread that ends what `add` adds stops in the midst of it, at `call`,
  // until another one has had plenty of turns; Flush must not return before.
  void FlushInTheMidstOf(Call call, const std::function<void()>& add) {
    std::atomic<bool> in_the_midst = false;
    std::atomic<bool> may_go_on = false;
    calls_.BeforeNext(call, [&] {
      in_the_midst = true;
      while (!may_go_on) std::this_thread::yield();
    });
    std::thread adder(add);
    while (!in_the_midst) std::this_thread::yield();
    std::thread permission([&] {
      for (int i = 0; i < 10'000; ++i) std::this_thread::yield();
      may_go_on = true;
    });
    batch_->Flush();
    EXPECT_TRUE(may_go_on);
    const uint64_t ended_in_time = ended_bytes_;
    permission.join();
    adder.join();
    EXPECT_EQ(ended_in_time, ended_bytes_) << "Flush returned before the end";
  }

  FakeClock clock_;
  std::atomic<uint64_t> ended_bytes_ = 0;
  std::atomic<uint64_t> ended_tags_ = 0;
  std::atomic<int> callbacks_ = 0;
  std::unique_ptr<UnmapBatch> batch_;
};

INSTANTIATE_TEST_SUITE_P(Drains, UnmapBatchTest,
                         testing::Values(UnmapBatch::Drain::kThread,
                                         UnmapBatch::Drain::kIdleThread,
                                         UnmapBatch::Drain::kInline),
                         [](const auto& info) {
                           switch (info.param) {
                             case UnmapBatch::Drain::kThread: return "Thread";
                             case UnmapBatch::Drain::kIdleThread: return "Idly";
                             case UnmapBatch::Drain::kInline: return "Inline";
                           }
                           return "";
                         });

TEST_P(UnmapBatchTest, NinetySixBlocksOf2MiBAreFortyEightBatches) {
  // How many munmaps runs of neighbours take depends on who lies where.
  Make({.unmap = UnmapBatch::Unmap::kEach});
  for (int i = 0; i < 96; ++i) Add(Mapping(2 * kMiB));
  const UnmapBatch::Counts counts = Flushed();
  EXPECT_EQ(counts.blocks_added, 96u);
  EXPECT_EQ(counts.bytes_added, 192 * kMiB);
  EXPECT_EQ(counts.crossings, 48u);
  EXPECT_EQ(counts.flushes, 48u);
  EXPECT_EQ(counts.blocks_flushed, 96u);
  EXPECT_EQ(counts.largest_flush_blocks, 2u);
  EXPECT_EQ(counts.blocks_waiting, 0u);
  EXPECT_EQ(counts.failed_calls, 0u);
  EXPECT_EQ(calls_.Count(Call::kMunmap), 96u);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(ended_bytes_, 192 * kMiB);
}

TEST_P(UnmapBatchTest, ARunOfNeighboursCanTakeOneMunmap) {
  EXPECT_EQ(CallsToEndNeighbours(UnmapBatch::Unmap::kRuns, Call::kMunmap), 2u)
      << "one before the gap and one after it";
}

TEST_P(UnmapBatchTest, TheOtherWaysToUnmapEndAsMuch) {
  EXPECT_EQ(CallsToEndNeighbours(UnmapBatch::Unmap::kEach, Call::kMunmap), 8u);
  EXPECT_EQ(CallsToEndNeighbours(UnmapBatch::Unmap::kAdviseAll,
                                 Call::kProcessMadvise),
            1u);
  EXPECT_EQ(CallsToEndNeighbours(UnmapBatch::Unmap::kAdviseAll, Call::kMunmap),
            8u);
  EXPECT_EQ(CallsToEndNeighbours(UnmapBatch::Unmap::kLazyFree, Call::kMadvise),
            8u);
  EXPECT_EQ(CallsToEndNeighbours(UnmapBatch::Unmap::kLazyFree, Call::kMunmap),
            2u);
}

TEST_P(UnmapBatchTest, SmallerBlocksWaitForMoreOfTheirKind) {
  Make();
  for (int i = 0; i < 63; ++i) Add(Mapping(64 * kKiB));
  EXPECT_EQ(batch_->counts().crossings, 0u);
  EXPECT_EQ(batch_->counts().blocks_waiting, 63u);
  EXPECT_EQ(calls_.Count(Call::kMunmap), 0u) << "nothing ends before its batch";
  Add(Mapping(64 * kKiB));
  const UnmapBatch::Counts counts = Flushed();
  EXPECT_EQ(counts.crossings, 1u);
  EXPECT_EQ(counts.flushes, 1u);
  EXPECT_EQ(counts.largest_flush_blocks, 64u);
}

TEST_P(UnmapBatchTest, FlushEndsWhatHasNotCrossed) {
  Make();
  Add(Mapping(2 * kMiB));
  EXPECT_EQ(calls_.live().mappings, 1u);
  const UnmapBatch::Counts counts = Flushed();
  EXPECT_EQ(counts.crossings, 0u);
  EXPECT_EQ(counts.flushes, 1u);
  EXPECT_EQ(calls_.live().mappings, 0u);
}

TEST_P(UnmapBatchTest, FlushingNothingIsNoFlush) {
  Make();
  EXPECT_EQ(Flushed().flushes, 0u);
}

TEST_P(UnmapBatchTest, BlocksBelow64KiBEndAtOnce) {
  Make();
  Add(Mapping(64 * kKiB - kPageSize));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(ended_bytes_, 64 * kKiB - kPageSize);
  const UnmapBatch::Counts counts = batch_->counts();
  EXPECT_EQ(counts.small_blocks_ended, 1u);
  EXPECT_EQ(counts.blocks_added, 0u);
  EXPECT_EQ(counts.blocks_waiting, 0u);

  Add(Mapping(64 * kKiB));
  EXPECT_EQ(batch_->counts().blocks_added, 1u);
}

TEST_P(UnmapBatchTest, AThresholdOfNothingMakesEveryBlockABatch) {
  Make({.threshold_bytes = 0});
  for (int i = 0; i < 3; ++i) Add(Mapping(64 * kKiB));
  const UnmapBatch::Counts counts = Flushed();
  EXPECT_EQ(counts.crossings, 3u);
  EXPECT_EQ(counts.flushes, 3u);
}

TEST_P(UnmapBatchTest, WhatHasWaitedLongEnoughIsHandedOver) {
  Make({.max_age = absl::Seconds(1)});
  EXPECT_EQ(batch_->HandOverAged(clock_.Now()), absl::InfiniteFuture());
  const absl::Time oldest = clock_.Now();
  Add(Mapping(64 * kKiB));
  clock_.Advance(absl::Milliseconds(900));
  Add(Mapping(64 * kKiB));
  EXPECT_EQ(batch_->HandOverAged(clock_.Now()), oldest + absl::Seconds(1))
      << "the oldest block sets the time, not the newest";
  EXPECT_EQ(batch_->counts().blocks_waiting, 2u);
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(batch_->HandOverAged(clock_.Now()), absl::InfiniteFuture());
  const UnmapBatch::Counts counts = Flushed();
  EXPECT_EQ(counts.flushes, 1u) << "one batch, and Flush found nothing more";
  EXPECT_EQ(counts.largest_flush_blocks, 2u);

  // The age of the next one starts with it.
  Add(Mapping(64 * kKiB));
  EXPECT_EQ(batch_->HandOverAged(clock_.Now()),
            clock_.Now() + absl::Seconds(1));
}

TEST_P(UnmapBatchTest, WithoutAnAgeWhatWaitsWaits) {
  Make();
  Add(Mapping(64 * kKiB));
  clock_.Advance(absl::Hours(24));
  EXPECT_EQ(batch_->HandOverAged(clock_.Now()), absl::InfiniteFuture());
  EXPECT_EQ(batch_->counts().blocks_waiting, 1u);
}

TEST_P(UnmapBatchTest, EndsAllThreePartsOfASegment) {
  const auto directory = OpenOrDie();
  Make();
  Add(MappedFile(*directory, 64 * kKiB));
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{1, 1, 1}));
  Flushed();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_P(UnmapBatchTest, TellsOnceWhichSegmentsEndedTogether) {
  Make();
  for (const uint64_t tag : {1, 20, 300}) {
    Segment segment = Mapping(64 * kKiB);
    segment.set_tag(tag);
    Add(std::move(segment));
  }
  EXPECT_EQ(callbacks_, 0);
  Flushed();
  EXPECT_EQ(callbacks_, 1);
  EXPECT_EQ(ended_tags_, 321u);
  // A small one ends alone, and at once.
  Segment small = Mapping(kPageSize);
  small.set_tag(4000);
  Add(std::move(small));
  EXPECT_EQ(callbacks_, 2);
  EXPECT_EQ(ended_tags_, 4321u);
}

TEST_P(UnmapBatchTest, ACallThatFailsIsCountedAndTheOthersAreStillMade) {
  const auto directory = OpenOrDie();
  Make();
  calls_.FailNext(Call::kMunmap, ENOMEM);
  Add(MappedFile(*directory, 64 * kKiB));
  EXPECT_EQ(Flushed().failed_calls, 1u);
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{.mappings = 1}));

  calls_.FailNext(Call::kUnlink, EPERM);
  Add(MappedFile(*directory, 64 * kKiB));
  EXPECT_EQ(Flushed().failed_calls, 2u);
  EXPECT_EQ(calls_.live(),
            (FaultySystemCalls::Live{.mappings = 1, .files = 1}));

  calls_.FailNext(Call::kClose, EIO);
  Add(MappedFile(*directory, 64 * kKiB));
  const UnmapBatch::Counts counts = Flushed();
  EXPECT_EQ(counts.failed_calls, 3u);
  EXPECT_EQ(counts.blocks_flushed, 3u);
  EXPECT_EQ(calls_.live().descriptors, 0u);
  EXPECT_EQ(ended_bytes_, 3 * 64 * kKiB);
}

TEST_P(UnmapBatchTest, AnInterruptedUnlinkIsMadeAgain) {
  const auto directory = OpenOrDie();
  Make();
  calls_.FailNext(Call::kUnlink, EINTR, 2);
  Add(MappedFile(*directory, 64 * kKiB));
  EXPECT_EQ(Flushed().failed_calls, 0u);
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_P(UnmapBatchTest, WhatIsLetGoKeepsItsFile) {
  const auto directory = OpenOrDie();
  Make();
  batch_->Detach(MappedFile(*directory, 64 * kKiB));
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{.files = 1}));
  EXPECT_EQ(CountSegmentFiles(path_), 1u);
  EXPECT_EQ(batch_->counts().blocks_added, 0u);
  EXPECT_EQ(ended_bytes_, 0u);
}

TEST_P(UnmapBatchTest, AFileWithAnotherNameLosesItsPagesIfNobodyHasIt) {
  // Otherwise they would stay, counted by nobody.
  const auto directory = OpenOrDie();
  Make();
  const std::string elsewhere = scratch_.Join("elsewhere");
  // Linked, and renamed.
  for (const auto name : {link, rename}) {
    Segment segment = MakeOrDie(*directory, 64 * kKiB);
    const std::string path = directory->PathOf(segment);
    ASSERT_EQ(name(path.c_str(), elsewhere.c_str()), 0);
    batch_->Add(std::move(segment), clock_.Now(), /*proven_unused=*/true);
    Flushed();
    EXPECT_EQ(CountSegmentFiles(path_), 0u);
    EXPECT_EQ(AllocatedBytes(scratch_.path()), 0u);
    EXPECT_EQ(unlink(elsewhere.c_str()), 0);
  }
  EXPECT_EQ(calls_.Count(Call::kTruncate), 2u);
}

TEST_P(UnmapBatchTest, AFileThatSomebodyMayHaveKeepsItsPages) {
  // Whoever has it mapped would die of SIGBUS.
  const auto directory = OpenOrDie();
  Make();
  Segment segment = MakeOrDie(*directory, 64 * kKiB);
  const std::string elsewhere = scratch_.Join("elsewhere");
  ASSERT_EQ(link(directory->PathOf(segment).c_str(), elsewhere.c_str()), 0);
  Add(std::move(segment));
  Flushed();
  EXPECT_EQ(AllocatedBytes(scratch_.path()), 64 * kKiB);
}

TEST_P(UnmapBatchTest, AFileThatIsGoneNeedsNoTruncation) {
  const auto directory = OpenOrDie();
  Make();
  batch_->Add(MakeOrDie(*directory, 64 * kKiB), clock_.Now(),
              /*proven_unused=*/true);
  EXPECT_EQ(Flushed().failed_calls, 0u);
  EXPECT_EQ(calls_.Count(Call::kTruncate), 0u);
}

TEST_P(UnmapBatchTest, ATruncationIsMadeAgainOrItsFailureCounted) {
  const auto directory = OpenOrDie();
  Make();
  const auto end_linked = [&](Call failing, int error, uint64_t times) {
    const std::string elsewhere = scratch_.Join("elsewhere");
    unlink(elsewhere.c_str());
    Segment segment = MakeOrDie(*directory, 64 * kKiB);
    ASSERT_EQ(link(directory->PathOf(segment).c_str(), elsewhere.c_str()), 0);
    calls_.FailNext(failing, error, times);
    batch_->Add(std::move(segment), clock_.Now(), /*proven_unused=*/true);
  };
  end_linked(Call::kTruncate, EINTR, 2);
  EXPECT_EQ(Flushed().failed_calls, 0u);
  end_linked(Call::kTruncate, EIO, 1);
  EXPECT_EQ(Flushed().failed_calls, 1u);
  // Where it can't be told whether there is another name, there may be.
  end_linked(Call::kFstat, EIO, 1);
  EXPECT_EQ(Flushed().failed_calls, 1u);
  EXPECT_EQ(AllocatedBytes(scratch_.path()), 0u);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_P(UnmapBatchTest, EndsWhatWaitsBeforeItGoes) {
  Make();
  Add(Mapping(64 * kKiB));
  Add(Mapping(4 * kMiB));
  Add(Mapping(64 * kKiB));
  batch_.reset();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_P(UnmapBatchTest, HoldsNoLockOverASystemCall) {
  // It would block every add for as long as the kernel takes.
  Make({.threshold_bytes = 0});
  std::atomic<bool> seen = false;
  calls_.BeforeNext(Call::kMunmap,
                    [&] { seen = batch_->counts().blocks_waiting == 1; });
  Add(Mapping(64 * kKiB));
  Flushed();
  EXPECT_TRUE(seen) << "a block being ended still counts as waiting";
}

TEST_P(UnmapBatchTest, FlushWaitsForWhatAnotherThreadIsEnding) {
  Make();
  FlushInTheMidstOf(Call::kMunmap, [&] { Add(Mapping(4 * kMiB)); });
  EXPECT_EQ(calls_.live().mappings, 0u);
  EXPECT_EQ(ended_bytes_, 4 * kMiB);
}

TEST_P(UnmapBatchTest, FlushWaitsForFilesThatAreBeingClosed) {
  Make();
  const auto directory = OpenOrDie();
  std::vector<Segment> files;
  for (int i = 0; i < 4; ++i) files.push_back(MakeOrDie(*directory, kMiB));
  FlushInTheMidstOf(Call::kClose, [&] {
    for (Segment& file : files) Add(std::move(file));
  });
  EXPECT_EQ(ended_bytes_, 4 * kMiB);
  EXPECT_EQ(batch_->counts().failed_calls, 0u);
}

TEST_P(UnmapBatchTest, ManyThreadsLoseNoBlock) {
  Make({.threshold_bytes = 256 * kKiB});
  constexpr int kThreads = 4;
  constexpr int kBlocks = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kBlocks; ++i) {
        Add(Mapping(i % 4 == 0 ? kPageSize : 64 * kKiB));
        if (i % 50 == t) batch_->Flush();
        if (i % 20 == t) batch_->HandOverAged(clock_.Now());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const UnmapBatch::Counts counts = Flushed();
  EXPECT_EQ(counts.blocks_added, kThreads * kBlocks * 3 / 4u);
  EXPECT_EQ(counts.blocks_flushed, counts.blocks_added);
  EXPECT_EQ(counts.small_blocks_ended, kThreads * kBlocks / 4u);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(ended_bytes_,
            counts.bytes_added + counts.small_blocks_ended * kPageSize);
}

}  // namespace
}  // namespace warmpool
