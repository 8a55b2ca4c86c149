#include "core/base/check.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace warmpool {
namespace {

// For a reader that is behind. One that never reads must not keep a process
// from its end.
constexpr int kPatienceMs = 1000;

}  // namespace

void CheckFailed(const char* file, int line, const char* condition,
                 const char* message) {
  char text[1024];
  const int length =
      std::snprintf(text, sizeof(text), "%s:%d: check failed: %s (%s)\n", file,
                    line, condition, message);
  pollfd output{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&output, 1, kPatienceMs) == 1 && length > 0) {
    const size_t bytes =
        std::min(static_cast<size_t>(length), sizeof(text) - 1);
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, bytes);
  }
  std::abort();
}

}  // namespace warmpool
