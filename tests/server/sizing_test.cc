#include "server/sizing.h"

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

TEST(SizePoolTest, ByDefaultTakesHalfOfWhatTheMachineHas) {
  const PoolSizes sizes = SizePool({}, {.free_bytes = 3 * kGiB,
                                        .held_bytes = kGiB,
                                        .filesystem_total_bytes = 0,
                                        .limit = std::nullopt});
  EXPECT_EQ(sizes.capacity.bytes, 2 * kGiB);
  EXPECT_EQ(sizes.bigcache_bytes, kGiB);
  EXPECT_EQ(sizes.stock_bytes, 128 * kMiB);
}

TEST(SizePoolTest, ByDefaultStockIsBounded) {
  const PoolSizes sizes = SizePool({}, {.free_bytes = 64 * kGiB,
                                        .held_bytes = 0,
                                        .filesystem_total_bytes = 0,
                                        .limit = std::nullopt});
  EXPECT_EQ(sizes.stock_bytes, 256 * kMiB);
}

TEST(SizePoolTest, DefaultsFollowTheCapacityThatTheMachineBounds) {
  const PoolSizes sizes = SizePool({.capacity_bytes = 4 * kGiB,
                                    .bigcache_bytes = std::nullopt,
                                    .stock_bytes = std::nullopt},
                                   {.free_bytes = kGiB,
                                    .held_bytes = 0,
                                    .filesystem_total_bytes = kGiB,
                                    .limit = std::nullopt});
  EXPECT_EQ(sizes.capacity.bytes, kGiB);
  EXPECT_THAT(sizes.capacity.bound_by, HasSubstr("the filesystem has 1 GiB"));
  EXPECT_EQ(sizes.bigcache_bytes, kGiB / 2);
  EXPECT_EQ(sizes.stock_bytes, 64 * kMiB);
}

TEST(SizePoolTest, TakesWhatIsAskedFor) {
  const PoolSizes sizes =
      SizePool({.capacity_bytes = kGiB, .bigcache_bytes = 0, .stock_bytes = 0},
               {.free_bytes = kGiB,
                .held_bytes = 0,
                .filesystem_total_bytes = 0,
                .limit = std::nullopt});
  EXPECT_EQ(sizes.capacity.bytes, kGiB);
  EXPECT_EQ(sizes.bigcache_bytes, 0u);
  EXPECT_EQ(sizes.stock_bytes, 0u);
}

}  // namespace
}  // namespace warmpool
