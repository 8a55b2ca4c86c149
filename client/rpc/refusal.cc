#include "client/rpc/refusal.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

constexpr size_t kHeaderBytes = 9;
// The last stream and the error, before the text.
constexpr size_t kGoAwayBytes = 8;
constexpr uint8_t kGoAway = 7;
constexpr uint8_t kInadequateSecurity = 0xc;

// Of what a connection sends first, as far as a refusal is looked for.
constexpr size_t kMaxBytes = 1024;

}  // namespace

absl::Status RefusalIn(absl::string_view received) {
  while (received.size() >= kHeaderBytes) {
    const auto byte = [&](size_t i) {
      return static_cast<uint8_t>(received[i]);
    };
    const size_t length = size_t{byte(0)} << 16 | byte(1) << 8 | byte(2);
    const bool is_refusal = byte(3) == kGoAway;
    if (received.size() < kHeaderBytes + length) break;
    const absl::string_view payload = received.substr(kHeaderBytes, length);
    received.remove_prefix(kHeaderBytes + length);
    if (!is_refusal || payload.size() <= kGoAwayBytes) continue;
    // It is shown on terminals.
    std::string text(payload.substr(kGoAwayBytes));
    for (char& c : text) {
      if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
    }
    const bool is_final =
        static_cast<uint8_t>(payload[kGoAwayBytes - 1]) == kInadequateSecurity;
    return is_final ? absl::PermissionDeniedError(text)
                    : absl::UnavailableError(text);
  }
  return absl::OkStatus();
}

absl::Status AwaitRefusal(int fd, absl::Duration patience) {
  const Clock& clock = MonotonicClock::Get();
  const absl::Time until = clock.Now() + patience;
  // The text may come in pieces.
  char received[kMaxBytes];
  size_t size = 0;
  while (size < kMaxBytes) {
    const absl::Duration left =
        std::max(until - clock.Now(), absl::ZeroDuration());
    pollfd polled = {fd, POLLIN, 0};
    const int readable =
        poll(&polled, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (readable < 0 && errno == EINTR) continue;
    if (readable <= 0) break;
    const ssize_t got =
        recv(fd, received + size, kMaxBytes - size, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
    RETURN_IF_ERROR(RefusalIn(absl::string_view(received, size)));
  }
  return absl::OkStatus();
}

}  // namespace warmpool
