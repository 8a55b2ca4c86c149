// Messages as JSON, for programs that read what the tools print.
#ifndef WARMPOOL_CLIENT_TOOL_JSON_H_
#define WARMPOOL_CLIENT_TOOL_JSON_H_

#include <string>

#include "google/protobuf/message.h"

namespace warmpool {

enum class JsonStyle {
  // Many lines.
  kIndented,
  // One line, without its newline.
  kLine,
};

// Fields have the names that they have in the .proto file, and zeros are
// printed. As JSON mappings of protobuf do, 64-bit integers are strings and
// bytes are base64.
std::string ToJson(const google::protobuf::Message& message,
                   JsonStyle style = JsonStyle::kIndented);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_JSON_H_
