#include "client/load/handoff/handoff_options.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace warmpool {
namespace {

constexpr absl::string_view kProducer = "producer";
constexpr absl::string_view kConsumer = "consumer";

}  // namespace

bool AbslParseFlag(absl::string_view text, HandoffRole* role,
                   std::string* error) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 2));
  if (parts.size() == 3 && (parts[0] == kProducer || parts[0] == kConsumer) &&
      absl::SimpleAtoi(parts[1], &role->pair)) {
    role->is_producer = parts[0] == kProducer;
    role->directory = std::string(parts[2]);
    return true;
  }
  *error = "it is not ROLE:PAIR:DIRECTORY";
  return false;
}

std::string AbslUnparseFlag(const HandoffRole& role) {
  return absl::StrCat(role.is_producer ? kProducer : kConsumer, ":", role.pair,
                      ":", role.directory);
}

std::string SocketPathOf(const HandoffRole& role) {
  return absl::StrCat(role.directory, "/", role.pair);
}

std::string PoolNameOf(const HandoffRole& role) {
  return absl::StrCat(role.directory.substr(role.directory.rfind('/') + 1), "/",
                      role.pair);
}

}  // namespace warmpool
