// The allocators under test behind one interface: Warmpool's engine, and the
// process's malloc, whichever library that is.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_ALLOCATOR_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_ALLOCATOR_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "core/engine/block_allocator.h"
#include "tests/bench/allocators/result.pb.h"

namespace warmpool::bench {

// For one thread.
class Allocator {
 public:
  struct Memory {
    std::byte* data;
    // What Free wants back.
    void* handle;
  };

  virtual ~Allocator() = default;
  virtual Memory Allocate(size_t bytes) = 0;
  virtual void Free(Memory memory) = 0;
  // Returns once nothing that was freed is still to be given back because of
  // work that was put off.
  virtual void Settle() {}
  virtual std::optional<Engine> engine() const { return std::nullopt; }
};

std::unique_ptr<Allocator> MakeMallocAllocator();

// With a thread that calls Tick when it is due, as the daemon has one.
std::unique_ptr<Allocator> MakeWarmpoolAllocator(
    BlockAllocator::Options options);

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_ALLOCATOR_H_
