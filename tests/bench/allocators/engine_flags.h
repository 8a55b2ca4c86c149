// The flags that change the engine of every one of Warmpool's arms: each
// ablation by hand, and any mixture of them.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_ENGINE_FLAGS_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_ENGINE_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/engine/block_allocator.h"
#include "tests/bench/allocators/arm.h"

namespace warmpool::bench {

// The arm's options, with what the flags say on top.
// REQUIRES: the arm is one of Warmpool's, CheckEngineFlags() is OK.
BlockAllocator::Options EngineOptionsOf(const Arm& arm);

// INVALID_ARGUMENT, naming the flag and its value.
absl::Status CheckEngineFlags();

// OK if `value` is empty or one of `words`; INVALID_ARGUMENT, listing them,
// otherwise.
absl::Status CheckWord(absl::string_view flag, const std::string& value,
                       const std::vector<std::string>& words);

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_ENGINE_FLAGS_H_
