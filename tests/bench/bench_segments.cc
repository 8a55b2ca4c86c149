// What it takes to make, to attach and to give back a segment, by size and
// pages: what people write by hand beside what the daemon and its clients do,
// without any RPC (bench_cold_leases has that).
//
//   bazel-bin/tests/bench/bench_segments --benchmark_repetitions=5
//       --benchmark_enable_random_interleaving=true --chart=/tmp/segments.svg
//
// Made by hand and attached include 8 bytes written to each 4 KiB. Times are
// those of one segment. Where a kernel has no huge pages to give, these arms
// are skipped and say so.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/random_id.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/directory/attach_segment.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/size_class.h"
#include "tests/bench/allocators/counters.h"
#include "tests/bench/segments/by_hand.h"
#include "tests/bench/segments/chart.h"
#include "tests/bench/segments/machine.h"

ABSL_FLAG(std::string, chart, "",
          "SVG file for a chart of the times; a PNG is put beside it");

namespace warmpool::bench {
namespace {

using Use = HugePages::Use;

// The range of a benchmark: bytes, and whether pages are of 2 MiB.
size_t BytesOf(const benchmark::State& state) {
  return static_cast<size_t>(state.range(0));
}
bool IsHuge(const benchmark::State& state) { return state.range(1) != 0; }

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench_segments: %s\n", status.ToString().c_str());
  std::exit(1);
}

// A daemon's directory, and what a client does with its segments.
class Directory {
 public:
  explicit Directory(bool huge)
      : path_(absl::StrCat("/dev/shm/warmpool-bench-", getpid())) {
    SegmentDirectory::Options options;
    options.huge_pages = huge ? Use::kRequire : Use::kNever;
    options.end_window = [this](Segment window) { End(std::move(window)); };
    auto directory = SegmentDirectory::Open(path_, "bench_segments", &calls_,
                                            &random_, options);
    problem_ = directory.status();
    if (problem_.ok()) directory_ = *std::move(directory);
  }
  ~Directory() {
    directory_.reset();
    std::filesystem::remove_all(path_);
  }

  // Why there are no segments with such pages.
  const absl::Status& problem() const { return problem_; }
  LinuxSystemCalls* calls() { return &calls_; }

  Segment Make(size_t bytes) {
    Segment segment;
    Check(directory_->Make(*classes_.For(bytes), bytes, geteuid(),
                           Purpose::kLease, &segment));
    return segment;
  }
  void Populate(const Segment& segment) {
    Check(directory_->Populate(segment, 0, segment.bytes()));
  }
  std::string PathOf(const Segment& segment) const {
    return directory_->PathOf(segment);
  }
  Segment Attach(const Segment& made, PageState pages) {
    Segment attached(made.size_class(), made.bytes(), made.owner());
    attached.set_page_bytes(made.page_bytes());
    Check(
        AttachSegment(calls_, PathOf(made), geteuid(), true, &attached, pages));
    return attached;
  }
  void End(Segment segment) {
    UnmapBatch batch(
        &calls_, {.drain = UnmapBatch::Drain::kInline, .threshold_bytes = 0});
    batch.Add(std::move(segment), absl::InfinitePast());
  }

 private:
  const std::string path_;
  LinuxSystemCalls calls_;
  KernelRandom& random_ = KernelRandom::Get();
  const SizeClasses classes_;
  absl::Status problem_;
  std::unique_ptr<SegmentDirectory> directory_;
};

template <typename Work>
void Timed(benchmark::State& state, const Work& work, size_t segments = 1) {
  const auto before = std::chrono::steady_clock::now();
  work();
  const auto after = std::chrono::steady_clock::now();
  state.SetIterationTime(std::chrono::duration<double>(after - before).count() /
                         static_cast<double>(segments));
}

bool Skip(benchmark::State& state, const Directory& directory) {
  if (directory.problem().ok()) return false;
  state.SkipWithError(std::string(directory.problem().message()).c_str());
  return true;
}

void BM_MakeByHand(benchmark::State& state) {
  for (auto _ : state) {
    ByHand made(ByHand::PathIn("/dev/shm"));
    Timed(state, [&] {
      made.Make(BytesOf(state), IsHuge(state) ? ByHand::Pages::kCollapsed
                                              : ByHand::Pages::kAsTheyCome);
      Touch(made.data(), BytesOf(state));
    });
  }
}

// All of its pages are there then; `written`: and cleared, as those of stock.
void BM_Make(benchmark::State& state, bool written) {
  Directory directory(IsHuge(state));
  if (Skip(state, directory)) return;
  for (auto _ : state) {
    Segment segment;
    Timed(state, [&] {
      segment = directory.Make(BytesOf(state));
      if (written) directory.Populate(segment);
    });
    directory.End(std::move(segment));
  }
}

void BM_AttachByHand(benchmark::State& state) {
  Directory directory(IsHuge(state));
  if (Skip(state, directory)) return;
  Segment made = directory.Make(BytesOf(state));
  directory.Populate(made);
  for (auto _ : state) {
    ByHand attached(directory.PathOf(made));
    Timed(state, [&] {
      attached.Attach(BytesOf(state));
      Touch(attached.data(), BytesOf(state));
    });
  }
  directory.End(std::move(made));
}

void BM_Attach(benchmark::State& state, PageState pages) {
  Directory directory(IsHuge(state));
  if (Skip(state, directory)) return;
  for (auto _ : state) {
    Segment made = directory.Make(BytesOf(state));
    if (pages == PageState::kWritten) directory.Populate(made);
    Segment attached;
    Timed(state, [&] {
      attached = directory.Attach(made, pages);
      Touch(attached.data(), BytesOf(state));
    });
    directory.End(std::move(attached));
    directory.End(std::move(made));
  }
}

// As many at a time as there would be in a few batches.
size_t Together(const benchmark::State& state) {
  return BytesOf(state) >= kGiB ? 1 : BytesOf(state) >= 64 * kMiB ? 4 : 16;
}

void BM_GiveBackByHand(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<std::unique_ptr<ByHand>> made;
    for (size_t i = 0; i < Together(state); ++i) {
      made.push_back(std::make_unique<ByHand>(ByHand::PathIn("/dev/shm")));
      made.back()->Make(BytesOf(state), IsHuge(state)
                                            ? ByHand::Pages::kCollapsed
                                            : ByHand::Pages::kAsTheyCome);
      Touch(made.back()->data(), BytesOf(state));
    }
    Timed(
        state, [&] { made.clear(); }, Together(state));
  }
}

enum class Ending {
  // Mapped and unlinked by the same process, one after the other.
  kEach,
  // The same in one batch, whose neighbours end in one munmap.
  kBatch,
  // What the daemon does: it maps none.
  kNeverMapped,
};

void BM_GiveBack(benchmark::State& state, Ending ending) {
  Directory directory(IsHuge(state));
  if (Skip(state, directory)) return;
  UnmapBatch batch(
      directory.calls(),
      {.drain = UnmapBatch::Drain::kInline,
       .threshold_bytes = ending == Ending::kEach ? 0 : UINT64_MAX});
  for (auto _ : state) {
    std::vector<Segment> segments;
    for (size_t i = 0; i < Together(state); ++i) {
      segments.push_back(directory.Make(BytesOf(state)));
      directory.Populate(segments.back());
      if (ending == Ending::kNeverMapped) continue;
      Segment attached = directory.Attach(segments.back(), PageState::kWritten);
      Touch(attached.data(), BytesOf(state));
      // Before its file: the last to let go of the pages is who frees them.
      segments.insert(segments.end() - 1, std::move(attached));
    }
    Timed(
        state,
        [&] {
          for (Segment& segment : segments) {
            batch.Add(std::move(segment), absl::InfinitePast());
          }
          batch.Flush();
        },
        Together(state));
  }
  if (batch.counts().failed_calls > 0) state.SkipWithError("calls failed");
}

void Arguments(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"bytes", "huge"})
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
  for (const uint64_t bytes : {64 * kKiB, 2 * kMiB, 64 * kMiB, kGiB}) {
    for (const bool huge : {false, true}) {
      if (huge && bytes < kHugePageSize) continue;
      benchmark->Args({static_cast<int64_t>(bytes), huge});
    }
  }
}
BENCHMARK(BM_MakeByHand)->Apply(Arguments);
BENCHMARK_CAPTURE(BM_Make, reserved, false)->Apply(Arguments);
BENCHMARK_CAPTURE(BM_Make, written, true)->Apply(Arguments);
BENCHMARK(BM_AttachByHand)->Apply(Arguments);
BENCHMARK_CAPTURE(BM_Attach, reserved, PageState::kReserved)->Apply(Arguments);
BENCHMARK_CAPTURE(BM_Attach, written, PageState::kWritten)->Apply(Arguments);
BENCHMARK(BM_GiveBackByHand)->Apply(Arguments);
BENCHMARK_CAPTURE(BM_GiveBack, each, Ending::kEach)->Apply(Arguments);
BENCHMARK_CAPTURE(BM_GiveBack, batch, Ending::kBatch)->Apply(Arguments);
BENCHMARK_CAPTURE(BM_GiveBack, never_mapped, Ending::kNeverMapped)
    ->Apply(Arguments);

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  absl::SetProgramUsageMessage(
      "What it takes to make, to attach and to give back segments. Takes "
      "Google "
      "Benchmark's flags too (--benchmark_repetitions=5).");
  absl::ParseCommandLine(argc, argv);
  PrintMachine();
  ChartReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  if (const std::string path = absl::GetFlag(FLAGS_chart); !path.empty()) {
    Check(reporter.Draw(path, DescribeMachine()));
  }
  return 0;
}

}  // namespace
}  // namespace warmpool::bench

int main(int argc, char** argv) { return warmpool::bench::Main(argc, argv); }
