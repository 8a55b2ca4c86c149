#include "tests/bench/allocators/scenario.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/bench/allocators/counters.h"
#include "tests/bench/allocators/sibling.h"

namespace warmpool::bench {
namespace {

constexpr size_t kPageBytes = 4096;
// Rounds of vm_warm that are not counted.
constexpr uint64_t kWarmUpRounds = 3;

uint64_t NanosecondsNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(now.tv_nsec);
}

// What a run cost, from Begin to End.
class Meter {
 public:
  // Made before the allocator, whose threads are counted too.
  explicit Meter(bool sibling) : sibling_(sibling) {}

  void Begin() {
    usage_ = ProcessUsage();
    sibling_nanoseconds_ = sibling_.cpu_nanoseconds();
    calls_ = system_calls_.Count().value_or(0);
    flushes_ = tlb_flushes_.Count().value_or(0);
    started_at_ = NanosecondsNow();
  }

  // Fills in what each of `operations` cost.
  void End(double operations, Result* result) {
    const uint64_t wall = NanosecondsNow() - started_at_;
    const Usage usage = ProcessUsage();
    const double sibling = sibling_.cpu_nanoseconds() - sibling_nanoseconds_;
    result->set_nanoseconds(static_cast<double>(wall) / operations);
    result->set_cpu_nanoseconds(
        (usage.cpu_nanoseconds - usage_.cpu_nanoseconds - sibling) /
        operations);
    result->set_page_faults((usage.page_faults - usage_.page_faults) /
                            operations);
    if (const auto count = system_calls_.Count()) {
      result->set_system_calls(static_cast<double>(*count - calls_) /
                               operations);
    }
    if (const auto count = tlb_flushes_.Count()) {
      result->set_tlb_flushes(static_cast<double>(*count - flushes_) /
                              operations);
    }
  }

 private:
  const Tracepoint system_calls_ = SystemCallEntries();
  const Tracepoint tlb_flushes_ = TlbFlushes();
  Sibling sibling_;
  Usage usage_;
  double sibling_nanoseconds_ = 0;
  uint64_t calls_ = 0;
  uint64_t flushes_ = 0;
  uint64_t started_at_ = 0;
};

// Allocates, touches and frees; counts and times what it does.
class Worker {
 public:
  Worker(const ScenarioOptions& options, Allocator& allocator, Meter& meter)
      : options_(options), allocator_(allocator), meter_(meter) {}

  // What was done so far is not measured.
  void Begin() {
    operations_ = free_nanoseconds_ = 0;
    meter_.Begin();
  }

  Allocator::Memory Allocate(size_t bytes) {
    const Allocator::Memory memory = allocator_.Allocate(bytes);
    ++operations_;
    if (!options_.touch) return memory;
    for (size_t at = 0; at < bytes; at += kPageBytes) {
      const uint64_t value = operations_ + at;
      std::memcpy(memory.data + at, &value, sizeof(value));
    }
    // The compiler must not know that nobody reads it.
    asm volatile("" : : "r"(memory.data) : "memory");
    return memory;
  }

  void FreeAll(std::vector<Allocator::Memory>* memories) {
    const uint64_t before = NanosecondsNow();
    for (const Allocator::Memory& memory : *memories) allocator_.Free(memory);
    free_nanoseconds_ += NanosecondsNow() - before;
    memories->clear();
  }

  void Free(Allocator::Memory memory) { allocator_.Free(memory); }

  uint64_t operations() const { return operations_; }
  uint64_t free_nanoseconds() const { return free_nanoseconds_; }

 private:
  const ScenarioOptions& options_;
  Allocator& allocator_;
  Meter& meter_;
  uint64_t operations_ = 0;
  uint64_t free_nanoseconds_ = 0;
};

uint64_t Or(uint64_t value, uint64_t otherwise) {
  return value == 0 ? otherwise : value;
}

// Rounds of `live` blocks, all allocated, then all freed.
void RunRounds(Worker& worker, size_t bytes, uint64_t live, uint64_t rounds) {
  std::vector<Allocator::Memory> memories;
  memories.reserve(live);
  for (uint64_t round = 0; round < rounds; ++round) {
    while (memories.size() < live) memories.push_back(worker.Allocate(bytes));
    worker.FreeAll(&memories);
  }
}

// `live` blocks; one is freed and one allocated, over and over.
void RunReplacing(Worker& worker, uint64_t live, uint64_t iterations,
                  const std::function<size_t()>& next_bytes) {
  std::vector<Allocator::Memory> memories;
  while (memories.size() < live) {
    memories.push_back(worker.Allocate(next_bytes()));
  }
  worker.Begin();
  for (uint64_t i = 0; i < iterations; ++i) {
    Allocator::Memory& memory = memories[i % live];
    worker.Free(memory);
    memory = worker.Allocate(next_bytes());
  }
  worker.FreeAll(&memories);
}

// Sizes 64 KiB to 64 MiB, four to a doubling; the n-th smallest is n times less
// popular than the smallest.
std::function<size_t()> ZipfSizes() {
  std::vector<size_t> sizes;
  for (size_t doubling = 64 << 10; doubling < (64 << 20); doubling *= 2) {
    for (size_t step = 0; step < 4; ++step) {
      sizes.push_back(doubling + doubling / 4 * step);
    }
  }
  sizes.push_back(64 << 20);
  std::vector<double> weights;
  for (size_t rank = 1; rank <= sizes.size(); ++rank) {
    weights.push_back(1.0 / static_cast<double>(rank));
  }
  return [sizes,
          popularity = std::discrete_distribution<size_t>(weights.begin(),
                                                          weights.end()),
          random = std::mt19937_64(1)]() mutable {
    return sizes[popularity(random)];
  };
}

void Run(const ScenarioOptions& options, Worker& worker) {
  if (options.scenario == "vm") {
    worker.Begin();
    RunRounds(worker, options.bytes, Or(options.iterations, 100),
              Or(options.rounds, 1));
  } else if (options.scenario == "vm_warm") {
    const uint64_t blocks = Or(options.iterations, 10);
    RunRounds(worker, options.bytes, blocks, kWarmUpRounds);
    worker.Begin();
    RunRounds(worker, options.bytes, blocks, Or(options.rounds, 200));
  } else if (options.scenario == "cache_heavy") {
    RunReplacing(worker, Or(options.live, 10), Or(options.iterations, 4'000),
                 [&options] { return options.bytes; });
  } else if (options.scenario == "cold_churn") {
    worker.Begin();
    RunRounds(worker, options.bytes, Or(options.live, 100),
              Or(options.rounds, 20));
  } else {
    RunReplacing(worker, Or(options.live, 10), Or(options.iterations, 2'000),
                 ZipfSizes());
  }
}

}  // namespace

const std::vector<std::string>& Scenarios() {
  static const auto* const scenarios = new std::vector<std::string>{
      "vm", "vm_warm", "cache_heavy", "cold_churn", "mixed"};
  return *scenarios;
}

absl::StatusOr<Result> RunScenario(
    const ScenarioOptions& options,
    const std::function<std::unique_ptr<Allocator>()>& make_allocator) {
  const auto& known = Scenarios();
  if (std::find(known.begin(), known.end(), options.scenario) == known.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--scenario=", options.scenario, " is none of all, ",
                     absl::StrJoin(known, ", ")));
  }
  Meter meter(options.sibling);
  const int64_t resident_before = ResidentBytes();
  const std::unique_ptr<Allocator> allocator = make_allocator();
  Worker worker(options, *allocator, meter);
  Run(options, worker);
  allocator->Settle();

  Result result;
  const auto operations = static_cast<double>(worker.operations());
  meter.End(operations, &result);
  result.set_operations(worker.operations());
  result.set_free_nanoseconds(static_cast<double>(worker.free_nanoseconds()) /
                              operations);
  result.set_peak_resident_bytes(PeakResidentBytes() - resident_before);
  if (const auto engine = allocator->engine()) {
    *result.mutable_engine() = *engine;
  }
  absl::SleepFor(options.idle);
  result.set_idle_resident_bytes(ResidentBytes() - resident_before);
  return result;
}

}  // namespace warmpool::bench
