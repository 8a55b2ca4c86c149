#include "core/memory/pages/slices.h"

#include <atomic>
#include <cstddef>
#include <set>
#include <thread>
#include <utility>

#include "core/base/mutex.h"
#include "gmock/gmock-more-matchers.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// What the work was called for.
class Calls {
 public:
  bool Note(size_t offset, size_t bytes) {
    MutexLock lock(&mutex_);
    EXPECT_TRUE(slices_.emplace(offset, bytes).second) << offset << " twice";
    threads_.insert(std::this_thread::get_id());
    return true;
  }

  std::set<std::pair<size_t, size_t>> slices() {
    MutexLock lock(&mutex_);
    return slices_;
  }
  size_t threads() {
    MutexLock lock(&mutex_);
    return threads_.size();
  }

 private:
  Mutex mutex_;
  std::set<std::pair<size_t, size_t>> slices_ ABSL_GUARDED_BY(mutex_);
  std::set<std::thread::id> threads_ ABSL_GUARDED_BY(mutex_);
};

TEST(ForSlicesTest, EverySliceIsWorkedOnOnceAndTheLastMayBeShort) {
  for (const size_t threads : {1, 2, 8}) {
    Calls calls;
    EXPECT_TRUE(ForSlices(25, 10, threads, [&](size_t offset, size_t bytes) {
      return calls.Note(offset, bytes);
    }));
    EXPECT_THAT(calls.slices(),
                ElementsAre(Pair(0, 10), Pair(10, 10), Pair(20, 5)));
    EXPECT_LE(calls.threads(), threads);
  }
}

TEST(ForSlicesTest, NothingIsNoSlice) {
  Calls calls;
  EXPECT_TRUE(ForSlices(0, 10, 4, [&](size_t offset, size_t bytes) {
    return calls.Note(offset, bytes);
  }));
  EXPECT_THAT(calls.slices(), IsEmpty());
}

TEST(ForSlicesTest, OneSliceIsTheCallersOwn) {
  std::thread::id worker;
  ForSlices(10, 10, 4, [&](size_t, size_t) {
    worker = std::this_thread::get_id();
    return true;
  });
  EXPECT_EQ(worker, std::this_thread::get_id());
}

TEST(ForSlicesTest, ItIsSharedOutWhereThereAreProcessors) {
  if (std::thread::hardware_concurrency() < 2) {
    GTEST_SKIP() << "one processor";
  }
  std::atomic<int> began = 0;
  EXPECT_TRUE(ForSlices(2, 1, 2, [&](size_t, size_t) {
    ++began;
    // Neither ends before the other began.
    while (began < 2) std::this_thread::yield();
    return true;
  }));
}

TEST(ForSlicesTest, AfterAFailureNoSliceIsBegun) {
  std::atomic<int> calls = 0;
  EXPECT_FALSE(ForSlices(1000, 1, 4, [&](size_t, size_t) {
    ++calls;
    return false;
  }));
  EXPECT_LE(calls, 4) << "one of each thread at most";
}

}  // namespace
}  // namespace warmpool
