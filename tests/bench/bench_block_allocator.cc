// The bare pair: allocate and free a block whose pages nobody touches.
#include <benchmark/benchmark.h>

#include "core/base/clock.h"
#include "core/engine/block_allocator.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {
namespace {

BlockAllocator& Allocator(bool tier) {
  const auto make = [](size_t max_tier_block_bytes) {
    BlockAllocator::Options options;
    options.max_tier_block_bytes = max_tier_block_bytes;
    return new BlockAllocator(&LinuxSystemCalls::Get(), &MonotonicClock::Get(),
                              options);
  };
  static BlockAllocator* const with =
      make(BlockAllocator::kDefaultMaxTierBlockBytes);
  static BlockAllocator* const without = make(0);
  return tier ? *with : *without;
}

void BM_AllocateAndFree(benchmark::State& state) {
  BlockAllocator& allocator = Allocator(state.range(0) != 0);
  for (auto _ : state) {
    Block* const block = *allocator.Allocate(2 * kMiB);
    benchmark::DoNotOptimize(block);
    allocator.Free(block);
  }
}
BENCHMARK(BM_AllocateAndFree)
    ->ArgName("thread_tier")
    ->Arg(1)
    ->Arg(0)
    ->ThreadRange(1, 2);

}  // namespace
}  // namespace warmpool
