// What ending a batch costs: neighbours in one munmap, one munmap each, one
// process_madvise for all, MADV_FREE first. Blocks are of 2 MiB, written, and
// a second thread runs all the while, whose core takes part in TLB flushes.
// Only the end is timed; the times are those of a whole batch.
//
// tlb_flushes counts flushes started (see counters.h); it is absent where the
// kernel does not let us count: that takes root and a mounted tracefs.
#include <benchmark/benchmark.h>

#include <chrono>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/pages/anonymous_source.h"
#include "core/memory/size_class.h"
#include "tests/bench/allocators/counters.h"
#include "tests/bench/allocators/sibling.h"

namespace warmpool::bench {
namespace {

using Unmap = UnmapBatch::Unmap;

constexpr size_t kBlockBytes = 2 * kMiB;
constexpr size_t kFillers = 16;

const char* NameOf(Unmap unmap) {
  switch (unmap) {
    case Unmap::kRuns: return "one munmap for a run of neighbours";
    case Unmap::kEach: return "one munmap each";
    case Unmap::kAdviseAll: return "one process_madvise, then one munmap each";
    case Unmap::kLazyFree: return "MADV_FREE, then as a run of neighbours";
  }
  return "?";
}

// A written block. Aborts without memory: there is nothing to measure then.
Segment MakeBlock(AnonymousSource& source, const SizeClasses& classes) {
  const SizeClass size_class = *classes.For(kBlockBytes);
  Segment block;
  if (!source.Make(size_class, kBlockBytes, 0, Purpose::kLease, &block).ok()) {
    std::abort();
  }
  for (size_t at = 0; at < kBlockBytes; at += kPageSize) {
    block.data()[at] = std::byte{1};
  }
  return block;
}

void BM_EndBatch(benchmark::State& state) {
  const Unmap unmap = static_cast<Unmap>(state.range(0));
  const auto blocks = static_cast<size_t>(state.range(1));
  // One for all: what a thread that ends leaves in the address space would lie
  // between the blocks.
  static const auto* const sibling = new Sibling(/*runs=*/true);
  benchmark::DoNotOptimize(sibling);
  LinuxSystemCalls calls;
  AnonymousSource source(&calls, {.huge_pages = state.range(2) != 0});
  const SizeClasses classes;
  UnmapBatch fillers(&calls, {.drain = UnmapBatch::Drain::kInline,
                              .threshold_bytes = UINT64_MAX});
  UnmapBatch batch(&calls, {.drain = UnmapBatch::Drain::kInline,
                            .unmap = unmap,
                            .threshold_bytes = UINT64_MAX});
  // Whatever small gaps the address space has, these fall into them; the
  // blocks after them become neighbours.
  for (size_t i = 0; i < kFillers; ++i) {
    fillers.Add(MakeBlock(source, classes), absl::InfinitePast());
  }
  const Tracepoint tlb_flushes = TlbFlushes();
  std::optional<uint64_t> flushes;
  for (auto _ : state) {
    for (size_t i = 0; i < blocks; ++i) {
      batch.Add(MakeBlock(source, classes), absl::InfinitePast());
    }
    const std::optional<uint64_t> flushes_before = tlb_flushes.Count();
    const auto before = std::chrono::steady_clock::now();
    batch.Flush();
    const auto after = std::chrono::steady_clock::now();
    state.SetIterationTime(
        std::chrono::duration<double>(after - before).count());
    if (flushes_before.has_value()) {
      flushes = flushes.value_or(0) + *tlb_flushes.Count() - *flushes_before;
    }
  }
  const auto per_batch = benchmark::Counter::kAvgIterations;
  state.counters["munmaps"] = benchmark::Counter(
      static_cast<double>(calls.Count(SystemCalls::Call::kMunmap)), per_batch);
  if (flushes.has_value()) {
    state.counters["tlb_flushes"] =
        benchmark::Counter(static_cast<double>(*flushes), per_batch);
  }
  state.SetLabel(NameOf(unmap));
}

void Arguments(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"unmap", "blocks", "huge"});
  for (const int64_t huge : {1, 0}) {
    for (const int64_t blocks : {2, 64}) {
      for (const Unmap unmap :
           {Unmap::kEach, Unmap::kRuns, Unmap::kAdviseAll, Unmap::kLazyFree}) {
        benchmark->Args({static_cast<int64_t>(unmap), blocks, huge});
      }
    }
  }
}
BENCHMARK(BM_EndBatch)
    ->Apply(Arguments)
    ->UseManualTime()
    ->Iterations(30)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace warmpool::bench
