#include "tests/bench/allocators/allocator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool::bench {
namespace {

class MallocAllocator final : public Allocator {
 public:
  Memory Allocate(size_t bytes) override {
    void* const data = std::malloc(bytes);
    if (data == nullptr) std::abort();
    return {static_cast<std::byte*>(data), data};
  }
  void Free(Memory memory) override { std::free(memory.handle); }
};

// How often the tier is looked at.
constexpr absl::Duration kTierLook = absl::Milliseconds(250);

class WarmpoolAllocator final : public Allocator {
 public:
  explicit WarmpoolAllocator(BlockAllocator::Options options)
      : allocator_(&calls_, &MonotonicClock::Get(), WithPoke(options)),
        ticker_([this] { TickerMain(); }) {}

  ~WarmpoolAllocator() override {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    condition_.NotifyOne();
    ticker_.join();
  }

  Memory Allocate(size_t bytes) override {
    absl::StatusOr<Block*> block = allocator_.Allocate(bytes);
    if (!block.ok()) {
      std::fprintf(stderr, "%s\n", block.status().ToString().c_str());
      std::abort();
    }
    return {(*block)->data(), *block};
  }

  void Free(Memory memory) override {
    allocator_.Free(static_cast<Block*>(memory.handle));
  }

  void Settle() override {
    allocator_.SweepTier();
    allocator_.Flush();
  }

  std::optional<Engine> engine() const override {
    const SegmentPool::Stats stats = allocator_.stats();
    Engine engine;
    engine.set_evictions(stats.bigcache.evictions_total());
    engine.set_blocks_added(stats.batch.blocks_added);
    engine.set_crossings(stats.batch.crossings);
    engine.set_flushes(stats.batch.flushes);
    engine.set_mmaps(calls_.Count(SystemCalls::Call::kMmap));
    engine.set_munmaps(calls_.Count(SystemCalls::Call::kMunmap));
    engine.set_madvises(calls_.Count(SystemCalls::Call::kMadvise));
    return engine;
  }

 private:
  BlockAllocator::Options WithPoke(BlockAllocator::Options options) {
    options.segments.on_due_earlier = [this] {
      {
        MutexLock lock(&mutex_);
        poked_ = true;
      }
      condition_.NotifyOne();
    };
    return options;
  }

  void TickerMain() {
    for (;;) {
      const absl::Time next = allocator_.Tick();
      const Clock& clock = MonotonicClock::Get();
      // The tier tells nobody that something was put there.
      const absl::Time wake = std::min(next, clock.Now() + kTierLook);
      MutexLock lock(&mutex_);
      while (!poked_ && !stopping_ && clock.Now() < wake) {
        condition_.WaitFor(&mutex_, wake - clock.Now());
      }
      if (stopping_) return;
      poked_ = false;
    }
  }

  LinuxSystemCalls calls_;
  Mutex mutex_;
  CondVar condition_;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  BlockAllocator allocator_;
  std::thread ticker_;
};

}  // namespace

std::unique_ptr<Allocator> MakeMallocAllocator() {
  return std::make_unique<MallocAllocator>();
}

std::unique_ptr<Allocator> MakeWarmpoolAllocator(
    BlockAllocator::Options options) {
  return std::make_unique<WarmpoolAllocator>(std::move(options));
}

}  // namespace warmpool::bench
