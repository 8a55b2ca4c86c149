#include "server/clients/peer_format.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::Optional;

TEST(PeerFormatTest, ThisGrpcNamesPeersByTheirDescriptor) {
  EXPECT_THAT(CheckPeerFormat(), IsOk());
}

TEST(PeerFormatTest, ReadsTheDescriptor) {
  EXPECT_THAT(DescriptorIn("fd:0"), Optional(0));
  EXPECT_THAT(DescriptorIn("fd:1048575"), Optional(1048575));
}

TEST(PeerFormatTest, ReadsNothingFromOtherForms) {
  for (const char* const peer :
       {"", "fd:", "fd:-1", "fd:12x", "unix:/tmp/socket", "ipv4:127.0.0.1:1",
        "fd:99999999999"}) {
    EXPECT_EQ(DescriptorIn(peer), std::nullopt) << peer;
  }
}

}  // namespace
}  // namespace warmpool
