// The names of channels, and of the buffers in them.
//
// A channel is a set of buffers that processes of one uid pass among themselves
// without asking the daemon, so that nothing is proven between one's use and the
// next's. A buffer belongs to a channel by its name, which only the pool can give:
// "channel:", the channel's name, ":", and the 16 bytes, as hex, that stand for
// the buffer in the messages of its users.
//
// Pure functions.
#ifndef WARMPOOL_CORE_POOL_CHANNEL_NAME_H_
#define WARMPOOL_CORE_POOL_CHANNEL_NAME_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/random_id.h"

namespace warmpool {

// With it a buffer's name is still one that the journal takes.
inline constexpr size_t kMaxChannelNameBytes = 80;

// OK if `channel` may name a channel: as ValidateBufferName, but shorter.
// INVALID_ARGUMENT otherwise.
absl::Status ValidateChannelName(absl::string_view channel);

std::string ChannelBufferName(absl::string_view channel, const RandomId& buffer);

// OK if `name` is one that ValidateBufferName allows, or a buffer's in a channel.
// INVALID_ARGUMENT otherwise.
absl::Status ValidateGivenName(absl::string_view name);

// The channel that a buffer of that name is in; empty: it is in none.
absl::string_view ChannelOf(absl::string_view buffer_name);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_CHANNEL_NAME_H_
