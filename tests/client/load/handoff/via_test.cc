#include "client/load/handoff/via.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(ViaTest, AllIsEveryOne) {
  Vias vias;
  std::string error;
  ASSERT_TRUE(AbslParseFlag("all", &vias, &error));
  EXPECT_THAT(vias.list, SizeIs(5));
  EXPECT_EQ(vias.list, AllVias().list);
  EXPECT_EQ(AbslUnparseFlag(vias), "all");
}

TEST(ViaTest, EachIsRunOnceAndInTheSameOrderHoweverOftenItIsNamed) {
  Vias vias;
  std::string error;
  ASSERT_TRUE(AbslParseFlag("grpc_unary,warmpool,grpc_unary", &vias, &error));
  EXPECT_THAT(vias.list, ElementsAre(Via::kWarmpool, Via::kGrpcUnary));
  EXPECT_EQ(AbslUnparseFlag(vias), "warmpool,grpc_unary");
}

TEST(ViaTest, AnUnknownNameIsToldWithThoseThatAreKnown) {
  Vias vias;
  std::string error;
  EXPECT_FALSE(AbslParseFlag("grpc_unary,pigeon", &vias, &error));
  EXPECT_EQ(error,
            "\"pigeon\" is none of all, warmpool, warmpool_ticket, "
            "warmpool_channel, grpc_unary, grpc_stream");
  EXPECT_FALSE(AbslParseFlag("", &vias, &error));
  EXPECT_THAT(error, HasSubstr("\"\" is none of all"));
}

}  // namespace
}  // namespace warmpool
