#include "client/tool/json.h"

#include "core/base/check.h"
#include "google/protobuf/util/json_util.h"

namespace warmpool {

std::string ToJson(const google::protobuf::Message& message, JsonStyle style) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = style == JsonStyle::kIndented;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  WARMPOOL_CHECK(
      google::protobuf::util::MessageToJsonString(message, &json, options).ok(),
      "only an Any of an unknown type has no JSON");
  return json;
}

}  // namespace warmpool
