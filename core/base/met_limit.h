// Which limit a call met that found no thread or no address space. The kernel
// says the same (EAGAIN, ENOMEM) for a handful of limits; this looks at each,
// and says which one has nothing left, its value, and how to raise it.
//
// Thread-safe. Reads files in /proc and /sys: for errors only. What it finds
// may have changed since the call; where no limit explains the error, it lists
// those to look at.
#ifndef WARMPOOL_CORE_BASE_MET_LIMIT_H_
#define WARMPOOL_CORE_BASE_MET_LIMIT_H_

#include <cstddef>
#include <string>

namespace warmpool {

// Of a thread: "no thread is left: RLIMIT_NPROC allows uid 1000 512 threads and
// processes, and it has 512; raise it (ulimit -u, LimitNPROC=)".
std::string LimitMetByThread();

// Of a mapping of so many bytes, for which mmap(2) gave the errno `error`.
std::string LimitMetByMapping(size_t bytes, int error);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_MET_LIMIT_H_
