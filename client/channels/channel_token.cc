#include "client/channels/channel_token.h"

#include "absl/strings/str_cat.h"
#include "core/base/little_endian.h"

namespace warmpool {
namespace {

absl::Status Malformed() {
  return absl::InvalidArgumentError(
      absl::StrCat("not a token of a channel: it has ", ChannelToken::kBytes,
                   " bytes, from Give"));
}

}  // namespace

absl::StatusOr<ChannelToken> ChannelToken::Parse(absl::string_view text) {
  if (text.size() != kBytes) return Malformed();
  ChannelToken token;
  LittleEndianReader reader(text);
  absl::string_view id;
  (void)reader.GetBytes(RandomId::kBytes, &id);
  (void)reader.Get(&token.round);
  (void)reader.Get(&token.size);
  token.id = *RandomId::FromBytes(id);
  // The next round has a number, too.
  if (token.round == 0 || token.round == UINT64_MAX || token.size == 0) {
    return Malformed();
  }
  return token;
}

absl::Status ChannelToken::CheckSize(uint64_t buffer_bytes) const {
  return size <= buffer_bytes ? absl::OkStatus() : Malformed();
}

std::string ChannelToken::ToText() const {
  std::string text = id.ToBytes();
  PutLittleEndian(round, &text);
  PutLittleEndian(size, &text);
  return text;
}

}  // namespace warmpool
