// The scenarios, run on one allocator in this process.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_SCENARIO_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_SCENARIO_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/allocators/allocator.h"
#include "tests/bench/allocators/result.pb.h"

namespace warmpool::bench {

struct ScenarioOptions {
  // vm: `iterations` blocks allocated, then all freed, once each way.
  // vm_warm: the same again and again, `rounds` times, after some that are not
  //   counted.
  // cache_heavy: `live` blocks; one is freed and one allocated, `iterations`
  //   times, once all are there.
  // cold_churn: `rounds` times `live` blocks allocated, then all freed.
  // mixed: as cache_heavy, of 64 KiB to 64 MiB, the smaller the more popular
  //   (Zipf).
  // 0: the scenario's default.
  std::string scenario;
  size_t bytes = 2 << 20;
  uint64_t iterations = 0;
  uint64_t live = 0;
  uint64_t rounds = 0;
  // Whether 8 bytes of each 4 KiB are written.
  bool touch = true;
  // Whether another thread of the process runs all the while, on whose core
  // the TLB must be flushed too.
  bool sibling = false;
  absl::Duration idle = absl::Milliseconds(1250);
};

// Their names, in the order of the report.
const std::vector<std::string>& Scenarios();

// INVALID_ARGUMENT: no scenario of that name.
absl::StatusOr<Result> RunScenario(
    const ScenarioOptions& options,
    const std::function<std::unique_ptr<Allocator>()>& make_allocator);

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_SCENARIO_H_
