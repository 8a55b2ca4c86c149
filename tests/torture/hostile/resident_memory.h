// How much memory a process has of its own, as the kernel tells it.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_RESIDENT_MEMORY_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_RESIDENT_MEMORY_H_

#include <sys/types.h>

#include <cstdint>

namespace warmpool::torture {

// Bytes in memory but for pages of a tmpfs (VmRSS without RssShmem): a daemon
// maps a segment while it makes its pages, which the capacity accounts for. 0:
// there is no such process.
uint64_t ResidentBytes(pid_t pid);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_RESIDENT_MEMORY_H_
