#include "core/lease/lease_names.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"

namespace warmpool {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxChannelNameBytes = 80;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("._-/").find(c) != absl::string_view::npos;
}

}  // namespace

absl::Status ValidateBufferName(absl::string_view name) {
  if (name.empty()) {
    return absl::InvalidArgumentError(
        "buffer name \"\" is empty: leave the name out to have one made up");
  }
  if (name.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "buffer name \"", absl::CHexEscape(name.substr(0, 32)), "...\" has ",
        name.size(), " bytes, more than ", kMaxNameBytes));
  }
  for (const char c : name) {
    if (IsNameCharacter(c)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "buffer name \"", absl::CHexEscape(name), "\" has the character '",
        absl::CHexEscape(absl::string_view(&c, 1)),
        "': letters, digits and \"._-/\" are allowed"));
  }
  // Names are never paths; those that would climb if somebody made them one
  // are kept out all the same.
  const std::string bounded = absl::StrCat("/", name, "/");
  for (const absl::string_view step : {"/../", "/./"}) {
    if (absl::string_view(bounded).find(step) == absl::string_view::npos) {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat("buffer name \"", name, "\" has the path step \"",
                     step.substr(1, step.size() - 2), "\""));
  }
  return absl::OkStatus();
}

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

absl::Status ValidateGivenName(absl::string_view name) {
  const absl::string_view channel = ChannelOf(name);
  if (channel.empty()) return ValidateBufferName(name);
  const absl::Status valid = ValidateChannelName(channel);
  if (!valid.ok() || ChannelBufferId(name).has_value()) return valid;
  return absl::InvalidArgumentError(absl::StrCat("no buffer of channel \"",
                                                 channel, "\" is named \"",
                                                 absl::CHexEscape(name), "\""));
}

}  // namespace warmpool
