// EndingCalls: the system calls after which memory is gone. Visible to
// core/engine alone, where UnmapBatch makes them: only Batch may munmap.
//
// Results as in SystemCalls: 0, or -errno, nothing retried.
#ifndef WARMPOOL_CORE_MEMORY_KERNEL_ENDING_CALLS_H_
#define WARMPOOL_CORE_MEMORY_KERNEL_ENDING_CALLS_H_

#include <sys/uio.h>

#include <cstddef>
#include <string>
#include <vector>

namespace warmpool {

class EndingCalls {
 public:
  virtual ~EndingCalls() = default;

  virtual int Unmap(void* address, size_t bytes) = 0;
  // process_madvise(2) of this process with MADV_DONTNEED: the pages are gone,
  // the mappings stay. Returns 0 if all ranges were advised.
  virtual int FreePages(const std::vector<iovec>& ranges) = 0;
  virtual int Unlink(int directory_fd, const std::string& name) = 0;
  // ftruncate(2) to nothing: frees a file's pages whatever names it still has.
  virtual int Truncate(int fd) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_KERNEL_ENDING_CALLS_H_
