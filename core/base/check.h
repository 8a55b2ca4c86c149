// WARMPOOL_CHECK: aborts with a message where an invariant does not hold. For
// bugs of ours only; bad input and failed calls are absl::Status.
#ifndef WARMPOOL_CORE_BASE_CHECK_H_
#define WARMPOOL_CORE_BASE_CHECK_H_

namespace warmpool {

// Writes the message to standard error, for a second at most, and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const char* message);

}  // namespace warmpool

#define WARMPOOL_CHECK(condition, message)                                \
  do {                                                                    \
    if (!(condition)) {                                                   \
      ::warmpool::CheckFailed(__FILE__, __LINE__, #condition, (message)); \
    }                                                                     \
  } while (false)

#endif  // WARMPOOL_CORE_BASE_CHECK_H_
