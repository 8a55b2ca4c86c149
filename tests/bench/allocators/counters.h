// What the kernel says of this process: pages, faults, calls and flushes.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_COUNTERS_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_COUNTERS_H_

#include <pthread.h>

#include <cstdint>
#include <optional>
#include <string>

namespace warmpool::bench {

// A tracepoint's count over this thread and all that it starts from here on.
class Tracepoint {
 public:
  // `name` as in "tlb/tlb_flush", `filter` as the kernel has it (empty: all).
  // Counts nothing where the kernel does not let us (no tracefs, not root).
  explicit Tracepoint(const std::string& name, const std::string& filter = "");
  ~Tracepoint();
  Tracepoint(const Tracepoint&) = delete;
  Tracepoint& operator=(const Tracepoint&) = delete;

  std::optional<uint64_t> Count() const;

 private:
  int fd_ = -1;
};

// System calls made.
Tracepoint SystemCallEntries();

// TLB flushes started. Each is counted once, however many cores it
// interrupts; flushes on task switches are not counted. (/proc/interrupts has
// no count of them on processors that broadcast flushes.)
Tracepoint TlbFlushes();

// Resident bytes of this process.
int64_t ResidentBytes();
// The most there have been so far.
int64_t PeakResidentBytes();

struct Usage {
  double cpu_nanoseconds = 0;
  double page_faults = 0;
};
// Of all threads since the start.
Usage ProcessUsage();
// CPU nanoseconds of a thread.
double ThreadCpuNanoseconds(pthread_t thread);

// Processor, kernel, pages and memory in a line.
std::string DescribeMachine();

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_COUNTERS_H_
