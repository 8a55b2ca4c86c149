#include "client/channel_token.h"

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

// Little-endian, as everything that two processes share.
void PutNumber(uint64_t number, std::string* text) {
  for (size_t byte = 0; byte < sizeof(number); ++byte) {
    text->push_back(static_cast<char>(number >> (8 * byte)));
  }
}

uint64_t GetNumber(absl::string_view text) {
  uint64_t number = 0;
  for (size_t byte = sizeof(number); byte-- > 0;) {
    number = number << 8 | static_cast<unsigned char>(text[byte]);
  }
  return number;
}

}  // namespace

absl::Status ChannelToken::Malformed() {
  return absl::InvalidArgumentError(absl::StrCat(
      "not a token of a channel: it has ", kBytes, " bytes, from Give"));
}

absl::StatusOr<ChannelToken> ChannelToken::Parse(absl::string_view text) {
  if (text.size() != kBytes) return Malformed();
  ChannelToken token;
  token.id = *RandomId::FromBytes(text.substr(0, RandomId::kBytes));
  text.remove_prefix(RandomId::kBytes);
  token.round = GetNumber(text);
  token.size = GetNumber(text.substr(sizeof(uint64_t)));
  // The next round has a number, too.
  if (token.round == 0 || token.round == UINT64_MAX || token.size == 0) {
    return Malformed();
  }
  return token;
}

std::string ChannelToken::ToText() const {
  std::string text = id.ToBytes();
  text.reserve(kBytes);
  PutNumber(round, &text);
  PutNumber(size, &text);
  return text;
}

}  // namespace warmpool
