// EndingCalls: the system calls after which memory is gone. Visible to
// caching/ alone, where UnmapBatch makes them: only Batch may munmap.
//
// Results as in SystemCalls: 0, or -errno, nothing retried.
#ifndef WARMPOOL_CORE_MEMORY_ENDING_CALLS_H_
#define WARMPOOL_CORE_MEMORY_ENDING_CALLS_H_

#include <cstddef>
#include <string>

namespace warmpool {

class EndingCalls {
 public:
  virtual ~EndingCalls() = default;

  virtual int Unmap(void* address, size_t bytes) = 0;
  virtual int Unlink(int directory_fd, const std::string& name) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_ENDING_CALLS_H_
