// Why a daemon does not serve a connection. It says so in an HTTP/2 GOAWAY
// frame (RFC 9113, 6.8) right after it has accepted the connection, before a
// byte was sent to it.
#ifndef WARMPOOL_CLIENT_RPC_REFUSAL_H_
#define WARMPOOL_CLIENT_RPC_REFUSAL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace warmpool {

// The refusal in what was received; OK if there is none. PERMISSION_DENIED: the
// daemon does not serve this process. UNAVAILABLE: for the moment.
absl::Status RefusalIn(absl::string_view received);

// Waits for a refusal on a new connection, for `patience` at most. OK: there is
// none in the first KiB that came, or it was cut off.
absl::Status AwaitRefusal(int fd, absl::Duration patience);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_REFUSAL_H_
