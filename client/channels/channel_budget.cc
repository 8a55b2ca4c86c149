#include "client/channels/channel_budget.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"

namespace warmpool {

ChannelBudget::ChannelBudget(std::string channel, const Limits& limits)
    : channel_(std::move(channel)), limits_(limits) {}

absl::Status ChannelBudget::Take(uint64_t bytes) {
  const bool fits_buffers = buffers_ < limits_.max_buffers;
  // Not a sum, which may overflow.
  const bool fits_bytes =
      bytes <= limits_.max_bytes && bytes_ <= limits_.max_bytes - bytes;
  if (fits_buffers && fits_bytes) {
    ++buffers_;
    bytes_ += bytes;
    return absl::OkStatus();
  }
  const std::string limit =
      fits_buffers
          ? absl::StrCat("max_bytes, ", FormatByteSize(limits_.max_bytes))
          : absl::StrCat("max_buffers, ", limits_.max_buffers);
  return absl::ResourceExhaustedError(absl::StrCat(
      "channel \"", channel_, "\" has ", buffers_, " buffers, ",
      FormatByteSize(bytes_), ", that this process made; another of ",
      FormatByteSize(bytes), " exceeds ChannelOptions::", limit,
      ": take back what was given, end what is not needed, or raise the "
      "limit"));
}

void ChannelBudget::GiveBack(uint64_t bytes) {
  --buffers_;
  bytes_ -= bytes;
}

}  // namespace warmpool
