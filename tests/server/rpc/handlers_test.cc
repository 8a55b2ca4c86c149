// What is quick enough for the thread that serves everybody.
#include "server/rpc/handlers.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(HandlersTest, ReleasesAreFewIfTheEndsTheyBringAre) {
  google::protobuf::RepeatedPtrField<v1::LeaseRef> leases;
  EXPECT_TRUE(EndFew(leases));
  for (int i = 0; i < kFewLeases; ++i) leases.Add();
  EXPECT_TRUE(EndFew(leases));
  leases.Add();
  EXPECT_FALSE(EndFew(leases));

  // As many more as its channel has members.
  leases.Clear();
  leases.Add()->set_for_all_members(true);
  EXPECT_FALSE(EndFew(leases));
}

}  // namespace
}  // namespace warmpool
