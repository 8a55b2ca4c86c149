// WARMPOOL_CHECK: aborts with a message where an invariant does not hold. For
// bugs of ours only; bad input and failed calls are absl::Status.
#ifndef WARMPOOL_CORE_BASE_CHECK_H_
#define WARMPOOL_CORE_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define WARMPOOL_CHECK(condition, message)                              \
  do {                                                                  \
    if (!(condition)) {                                                 \
      std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", __FILE__,  \
                   __LINE__, #condition, message);                      \
      std::abort();                                                     \
    }                                                                   \
  } while (false)

#endif  // WARMPOOL_CORE_BASE_CHECK_H_
