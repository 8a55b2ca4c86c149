// One arm in a process of its own, with its allocator preloaded.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_CHILD_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_CHILD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/allocators/arm.h"
#include "tests/bench/allocators/result.pb.h"

namespace warmpool::bench {

// Runs this program again with `arguments` and the arm's environment; the child
// answers by WriteResult. Errors tell what the child said.
absl::StatusOr<Result> RunInChild(const Arm& arm,
                                  const std::vector<std::string>& arguments);

// In the child. FAILED_PRECONDITION, naming the package to install: the arm's
// library is not the process's allocator.
absl::Status CheckPreloaded(const Arm& arm);
void WriteResult(const Result& result);

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_CHILD_H_
