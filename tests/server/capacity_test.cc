#include "server/capacity.h"

#include <optional>

#include "core/base/byte_size.h"
#include "gmock/gmock-matchers.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

MemoryUse LimitOf(uint64_t bytes) { return {"", bytes, 0}; }

TEST(BoundCapacityTest, IsWhatWasAskedForWhereTheMachineHasIt) {
  for (const std::optional<MemoryUse>& limit :
       {std::optional<MemoryUse>(),
        std::optional<MemoryUse>(LimitOf(2 * kGiB))}) {
    const BoundedCapacity capacity = BoundCapacity(kGiB, kGiB, limit);
    EXPECT_EQ(capacity.bytes, kGiB);
    EXPECT_EQ(capacity.bound_by, "");
  }
}

TEST(BoundCapacityTest, IsNeverMoreThanTheFilesystemHas) {
  const BoundedCapacity capacity = BoundCapacity(2 * kGiB, kGiB, std::nullopt);
  EXPECT_EQ(capacity.bytes, kGiB);
  EXPECT_THAT(capacity.bound_by, HasSubstr("the filesystem has 1 GiB"));
}

TEST(BoundCapacityTest, AFilesystemWithoutBoundBoundsNothing) {
  EXPECT_EQ(BoundCapacity(2 * kGiB, 0, std::nullopt).bytes, 2 * kGiB);
}

TEST(BoundCapacityTest, IsNeverMoreThanTheControlGroupsLeave) {
  const BoundedCapacity capacity = BoundCapacity(
      2 * kGiB, kGiB, MemoryUse{"/group/memory.max", 64 * kMiB, 0});
  EXPECT_EQ(capacity.bytes, 48 * kMiB);
  EXPECT_THAT(capacity.bound_by, HasSubstr("/group/memory.max is 64 MiB"));
}

}  // namespace
}  // namespace warmpool
