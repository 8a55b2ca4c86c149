// The parsers of what people and clients write: sizes, targets, names, ids.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/byte_size.h"
#include "core/base/check.h"
#include "core/base/random_id.h"
#include "core/base/unix_target.h"
#include "core/lease/lease_names.h"

namespace warmpool {
namespace {

void Parse(absl::string_view text) {
  if (const auto size = ParseByteSize(text); size.ok()) {
    const auto again = ParseByteSize(AbslUnparseFlag(*size));
    WARMPOOL_CHECK(again.ok() && *again == *size, "a size does not come back");
  }
  if (const auto path = SocketPathOf(text); path.ok()) {
    WARMPOOL_CHECK(!path->empty(), "a target without a path");
  }
  if (ValidateBufferName(text).ok()) {
    WARMPOOL_CHECK(!text.empty() && text.size() <= 128, "a name's length");
    WARMPOOL_CHECK(text.find('\0') == absl::string_view::npos,
                   "a name with a zero byte");
  }
  if (const auto id = RandomId::FromHex(text)) {
    WARMPOOL_CHECK(id->ToHex() == text, "an id does not come back");
  }
  if (const auto id = RandomId::FromBytes(text)) {
    WARMPOOL_CHECK(id->ToBytes() == text, "an id does not come back");
  }
}

}  // namespace
}  // namespace warmpool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  warmpool::Parse({reinterpret_cast<const char*>(data), size});
  return 0;
}
