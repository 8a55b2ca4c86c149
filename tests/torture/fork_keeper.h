// A forked child that keeps a mapping of its parent's, as a process with
// workers does that has not heard of leases.
#ifndef WARMPOOL_TESTS_TORTURE_FORK_KEEPER_H_
#define WARMPOOL_TESTS_TORTURE_FORK_KEEPER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/time/time.h"
#include "core/base/random_id.h"

namespace warmpool::torture {

struct ForkKeeping {
  std::span<const std::byte> bytes = {};
  // Whose stamps the pages have, and keep, whatever their parent does.
  RandomId lease = {};
  uint64_t generation = 0;
  absl::Duration keep_for = {};
  // The child ends early when nobody writes to this pipe any more.
  int lifeline = -1;
  // Where it reports that it has, checked and lets go of the mapping.
  int output = -1;
};

// Returns in the parent only.
void KeepInFork(const ForkKeeping& keeping);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_FORK_KEEPER_H_
