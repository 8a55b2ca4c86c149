// ChannelBudget: how many buffers of a channel, and how many bytes, one process
// may have made at a time.
//
// Not thread-safe. Invariant: never more than the limits.
#ifndef WARMPOOL_CLIENT_CHANNELS_CHANNEL_BUDGET_H_
#define WARMPOOL_CLIENT_CHANNELS_CHANNEL_BUDGET_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace warmpool {

class ChannelBudget {
 public:
  struct Limits {
    size_t max_buffers = 1024;
    uint64_t max_bytes = uint64_t{1} << 30;
  };

  // `channel` is its name, for messages.
  ChannelBudget(std::string channel, const Limits& limits);

  // For a buffer whose segment has `bytes` bytes. RESOURCE_EXHAUSTED: a limit
  // would be exceeded; the message names it and the remedy, and nothing was
  // taken.
  absl::Status Take(uint64_t bytes);
  // REQUIRES: as many were taken for one buffer.
  void GiveBack(uint64_t bytes);

  size_t buffers() const { return buffers_; }
  uint64_t bytes() const { return bytes_; }

 private:
  const std::string channel_;
  const Limits limits_;
  size_t buffers_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CHANNELS_CHANNEL_BUDGET_H_
