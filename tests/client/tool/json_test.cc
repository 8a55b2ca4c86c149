#include "client/tool/json.h"

#include "gtest/gtest.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {
namespace {

TEST(JsonTest, FieldsHaveTheirProtoNamesAndZerosArePrinted) {
  v1::ShutdownResponse response;
  response.set_live_leases(3);
  EXPECT_EQ(ToJson(response, JsonStyle::kLine),
            R"({"live_leases":"3","revoked_leases":"0"})");
}

TEST(JsonTest, IndentedJsonEndsInANewline) {
  EXPECT_EQ(ToJson(v1::ShutdownRequest()), "{\n \"revoke\": false\n}\n");
}

}  // namespace
}  // namespace warmpool
