// The names of buffers that are in a channel.
//
// A channel is a set of buffers that processes of one uid pass on among
// themselves without asking the daemon, so that nothing is proven between one's
// use and the next's. A buffer belongs to a channel by its name, which only the
// daemon can give: "channel:", the channel's name, ":", and as hex the id that
// stands for the buffer in the messages of its users.
//
// Pure functions.
#ifndef WARMPOOL_CORE_BASE_CHANNEL_NAME_H_
#define WARMPOOL_CORE_BASE_CHANNEL_NAME_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/random_id.h"

namespace warmpool {

std::string ChannelBufferName(absl::string_view channel,
                              const RandomId& buffer);

// What the names of all buffers of a channel start with, and of no others'.
std::string ChannelBufferPrefix(absl::string_view channel);

// The channel that a buffer of that name is in; empty: it is in none.
absl::string_view ChannelOf(absl::string_view buffer_name);

// The id in a name that ChannelBufferName made; nullopt: it is another.
std::optional<RandomId> ChannelBufferId(absl::string_view buffer_name);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_CHANNEL_NAME_H_
