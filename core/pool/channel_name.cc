#include "core/pool/channel_name.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/pool/lease.h"

namespace warmpool {
namespace {

// No name that a client may give has this mark.
constexpr absl::string_view kPrefix = "channel:";
constexpr char kMark = ':';

}  // namespace

absl::Status ValidateChannelName(absl::string_view channel) {
  if (channel.size() > kMaxChannelNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the channel's name has ", channel.size(),
                     " bytes, more than ", kMaxChannelNameBytes));
  }
  const absl::Status valid = ValidateBufferName(channel);
  if (valid.ok()) return valid;
  return absl::InvalidArgumentError(
      absl::StrCat("the channel's name: ", valid.message()));
}

std::string ChannelBufferName(absl::string_view channel,
                              const RandomId& buffer) {
  return absl::StrCat(kPrefix, channel, absl::string_view(&kMark, 1),
                      buffer.ToHex());
}

absl::Status ValidateGivenName(absl::string_view name) {
  const absl::string_view channel = ChannelOf(name);
  if (channel.empty()) return ValidateBufferName(name);
  const absl::Status valid = ValidateChannelName(channel);
  if (!valid.ok()) return valid;
  if (RandomId::FromHex(name.substr(name.rfind(kMark) + 1)).has_value()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no buffer of channel \"", channel, "\" is named \"",
                   absl::CHexEscape(name), "\""));
}

absl::string_view ChannelOf(absl::string_view buffer_name) {
  if (!absl::ConsumePrefix(&buffer_name, kPrefix)) return "";
  return buffer_name.substr(0, buffer_name.rfind(kMark));
}

}  // namespace warmpool
