// RetryOnInterrupt: repeats a system call that a signal interrupted.
#ifndef WARMPOOL_CORE_MEMORY_KERNEL_RETRY_H_
#define WARMPOOL_CORE_MEMORY_KERNEL_RETRY_H_

#include <errno.h>

namespace warmpool {

// `call` returns 0 or more, or -errno, as those of SystemCalls do.
template <typename Call>
auto RetryOnInterrupt(Call call) {
  auto result = call();
  while (result == -EINTR) result = call();
  return result;
}

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_KERNEL_RETRY_H_
