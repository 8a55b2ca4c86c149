// The arms of the benchmark: allocators, and settings of Warmpool's engine.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_ARM_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_ARM_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/engine/block_allocator.h"

namespace warmpool::bench {

struct Arm {
  // Without blanks: "jemalloc_huge".
  std::string name;
  // --allocator=... that selects it, besides its name and "all".
  std::string family;
  // Of its child process: "NAME=VALUE".
  std::vector<std::string> environment;
  // A symbol that only the preloaded library has, and the Debian package to
  // install where it is missing. Empty: nothing is preloaded.
  std::string symbol;
  std::string package;
  // Changes the engine's options. Null: malloc.
  std::function<void(BlockAllocator::Options*)> configure;
};

// Each allocator as it comes, and with huge pages where it has them.
const std::vector<Arm>& Allocators();
// Warmpool with one thing changed each.
const std::vector<Arm>& Ablations();

// Those of the families and names in `selection`, separated by commas, or
// "all". INVALID_ARGUMENT, listing what there is: none.
absl::StatusOr<std::vector<Arm>> SelectArms(absl::string_view selection,
                                            bool ablations);
// By exact name; null if there is none.
const Arm* FindArm(absl::string_view name);

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_ARM_H_
