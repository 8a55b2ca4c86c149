// Which names buffers and channels may have.
//
// Functions of their arguments only.
#ifndef WARMPOOL_CORE_LEASE_LEASE_NAMES_H_
#define WARMPOOL_CORE_LEASE_LEASE_NAMES_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// OK if `name` may name a buffer: 1 to 128 letters, digits and "._-/".
// INVALID_ARGUMENT otherwise, naming it with unprintable bytes escaped.
absl::Status ValidateBufferName(absl::string_view name);

// OK if `channel` may name a channel: the same, but up to 80 bytes, so that its
// buffers' names fit too.
absl::Status ValidateChannelName(absl::string_view channel);

// OK if a buffer can have been given that name: as ValidateBufferName, or as a
// buffer's in a channel.
absl::Status ValidateGivenName(absl::string_view name);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_LEASE_LEASE_NAMES_H_
