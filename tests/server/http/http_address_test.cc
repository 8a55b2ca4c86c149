#include "server/http/http_address.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

TEST(HttpAddressTest, HasAHostAndAPort) {
  for (const char* const text :
       {"127.0.0.1:9464", "localhost:0", "[::1]:9464", "0.0.0.0:65535"}) {
    const absl::StatusOr<HttpAddress> address = HttpAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
  EXPECT_EQ(HttpAddress::Parse("[::1]:9464")->host, "::1");
  EXPECT_EQ(HttpAddress::Parse("[::1]:9464")->port, 9464);
}

TEST(HttpAddressTest, WhatIsMalformedIsToldByValue) {
  for (const char* const text :
       {"", "9464", ":9464", "localhost", "localhost:", "localhost:http",
        "localhost:-1", "localhost:65536", "::1:9464"}) {
    EXPECT_THAT(HttpAddress::Parse(text).status(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(std::string("\"") + text + "\"")));
  }
}

TEST(HttpAddressTest, KnowsWhatOnlyThisMachineReaches) {
  for (const char* const text : {"127.0.0.1:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(HttpAddress::Parse(text)->is_loopback()) << text;
  }
  for (const char* const text :
       {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.evil.example:1"}) {
    EXPECT_FALSE(HttpAddress::Parse(text)->is_loopback()) << text;
  }
}

}  // namespace
}  // namespace warmpool
