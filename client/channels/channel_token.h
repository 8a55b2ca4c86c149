// ChannelToken: what goes from one member of a channel to another, in a message
// of their own, with a buffer.
//
// A value. As text it has kBytes bytes, whatever they are: base64 it where text
// has to be readable.
#ifndef WARMPOOL_CLIENT_CHANNELS_CHANNEL_TOKEN_H_
#define WARMPOOL_CLIENT_CHANNELS_CHANNEL_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/random_id.h"

namespace warmpool {

struct ChannelToken {
  static constexpr size_t kBytes = RandomId::kBytes + 2 * sizeof(uint64_t);

  // Of the buffer, within its channel.
  RandomId id;
  // How often the buffer was given, this time included.
  uint64_t round = 0;
  // Bytes that its user asked for.
  uint64_t size = 0;

  // INVALID_ARGUMENT: it is none.
  static absl::StatusOr<ChannelToken> Parse(absl::string_view text);
  // INVALID_ARGUMENT: the buffer has fewer bytes.
  absl::Status CheckSize(uint64_t buffer_bytes) const;

  std::string ToText() const;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CHANNELS_CHANNEL_TOKEN_H_
