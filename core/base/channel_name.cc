#include "core/base/channel_name.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace warmpool {
namespace {

constexpr absl::string_view kPrefix = "channel:";
// No name that a client may give has it.
constexpr char kMark = ':';

}  // namespace

std::string ChannelBufferName(absl::string_view channel,
                              const RandomId& buffer) {
  return absl::StrCat(ChannelBufferPrefix(channel), buffer.ToHex());
}

std::string ChannelBufferPrefix(absl::string_view channel) {
  return absl::StrCat(kPrefix, channel, absl::string_view(&kMark, 1));
}

absl::string_view ChannelOf(absl::string_view buffer_name) {
  if (!absl::ConsumePrefix(&buffer_name, kPrefix)) return "";
  const size_t mark = buffer_name.rfind(kMark);
  return mark == absl::string_view::npos ? "" : buffer_name.substr(0, mark);
}

std::optional<RandomId> ChannelBufferId(absl::string_view buffer_name) {
  if (ChannelOf(buffer_name).empty()) return std::nullopt;
  return RandomId::FromHex(buffer_name.substr(buffer_name.rfind(kMark) + 1));
}

}  // namespace warmpool
