#include "client/cache/prefetch.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "core/memory/size_class.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

constexpr uint64_t kAnyRoom = UINT64_MAX;

class PrefetchTest : public ::testing::Test {
 protected:
  SizeClass ClassOf(uint64_t bytes) { return classes_.For(bytes).value(); }

  void Miss(size_t times, uint64_t bytes = kMiB) {
    for (size_t i = 0; i < times; ++i) {
      prefetch_.Missed(ClassOf(bytes), clock_.Now());
      prefetch_.CheckInvariants();
    }
  }

  std::vector<Prefetch::Wish> TakeAtTheEnd(uint64_t room = kAnyRoom) {
    clock_.Advance(Prefetch::kPeriod);
    std::vector<Prefetch::Wish> wishes = prefetch_.Take(clock_.Now(), room);
    prefetch_.CheckInvariants();
    return wishes;
  }

  // Of one class; zero: none.
  size_t CountAtTheEnd(uint64_t room = kAnyRoom) {
    const std::vector<Prefetch::Wish> wishes = TakeAtTheEnd(room);
    return wishes.empty() ? 0 : wishes.front().count;
  }

  FakeClock clock_;
  SizeClasses classes_{SizeClasses::kDefaultMaxBytes};
  Prefetch prefetch_{&classes_};
};

TEST_F(PrefetchTest, WishesForAsManyAsHaveMissed) {
  Miss(3);
  EXPECT_EQ(prefetch_.due(), clock_.Now() + Prefetch::kPeriod);
  EXPECT_TRUE(prefetch_.Take(clock_.Now(), kAnyRoom).empty()) << "too early";
  EXPECT_EQ(CountAtTheEnd(), 3u);
  EXPECT_EQ(prefetch_.due(), absl::InfiniteFuture());
  EXPECT_EQ(CountAtTheEnd(), 0u) << "once";
}

TEST_F(PrefetchTest, AMissByItselfIsNoReason) {
  Miss(1);
  Miss(1, 2 * kMiB);
  EXPECT_EQ(prefetch_.due(), absl::InfiniteFuture());
  EXPECT_EQ(CountAtTheEnd(), 0u);
  Miss(1);
  EXPECT_EQ(CountAtTheEnd(), 0u) << "one in each period";
}

TEST_F(PrefetchTest, EachClassHasItsOwnWish) {
  Miss(2);
  Miss(1, 3 * kMiB);
  Miss(4, 2 * kMiB);
  const std::vector<Prefetch::Wish> wishes = TakeAtTheEnd();
  ASSERT_EQ(wishes.size(), 2u);
  EXPECT_EQ(wishes[0].size_class, ClassOf(kMiB));
  EXPECT_EQ(wishes[0].count, 2u);
  EXPECT_EQ(wishes[1].size_class, ClassOf(2 * kMiB));
  EXPECT_EQ(wishes[1].count, 4u);
}

TEST_F(PrefetchTest, WishesForNoMoreThanThereIsRoomFor) {
  Miss(5);
  EXPECT_EQ(CountAtTheEnd(/*room=*/4 * kMiB - 1), 3u);
  Miss(5);
  EXPECT_EQ(CountAtTheEnd(/*room=*/kMiB - 1), 0u);
  Miss(1000);
  EXPECT_EQ(CountAtTheEnd(), Prefetch::kMaxAhead);
}

TEST_F(PrefetchTest, HalvesWhatWentUnusedAndDoublesWhatDidNot) {
  size_t limit = Prefetch::kMaxAhead;
  for (int i = 0; i < 10; ++i) {
    Miss(Prefetch::kMaxAhead);
    prefetch_.Unused(ClassOf(kMiB));
    prefetch_.Unused(ClassOf(kMiB));
    limit = std::max<size_t>(limit / 2, 1);
    EXPECT_EQ(CountAtTheEnd(), limit);
  }
  EXPECT_EQ(limit, 1u);
  // Another class's limit is its own.
  Miss(Prefetch::kMaxAhead, 2 * kMiB);
  EXPECT_EQ(CountAtTheEnd(), Prefetch::kMaxAhead);
  Miss(Prefetch::kMaxAhead);
  EXPECT_EQ(CountAtTheEnd(), 2u);
  Miss(Prefetch::kMaxAhead);
  EXPECT_EQ(CountAtTheEnd(), 4u);
  EXPECT_EQ(prefetch_.counts().unused, 20u);
}

TEST_F(PrefetchTest, WhereMemoryIsShortPastMissesDoNotCount) {
  Miss(5);
  prefetch_.Forget();
  EXPECT_EQ(prefetch_.due(), absl::InfiniteFuture());
  Miss(1);
  EXPECT_EQ(CountAtTheEnd(), 0u);
}

TEST_F(PrefetchTest, NeverWishesForMoreThanMissedOrFits) {
  std::mt19937_64 random(1);
  std::map<SizeClass, size_t> missed;
  for (int i = 0; i < 20'000; ++i) {
    const SizeClass size_class = ClassOf(1 + random() % (8 * kMiB));
    switch (random() % 8) {
      case 0: clock_.Advance(absl::Milliseconds(random() % 30)); break;
      case 1: prefetch_.Unused(size_class); break;
      case 2: {
        const bool is_due = clock_.Now() >= prefetch_.due();
        uint64_t room = random() % (64 * kMiB);
        for (const Prefetch::Wish& wish : prefetch_.Take(clock_.Now(), room)) {
          ASSERT_TRUE(is_due);
          ASSERT_GE(wish.count, 1u);
          ASSERT_LE(wish.count, missed[wish.size_class]);
          ASSERT_LE(wish.count, Prefetch::kMaxAhead);
          ASSERT_LE(wish.count * classes_.Bytes(wish.size_class), room);
          room -= wish.count * classes_.Bytes(wish.size_class);
        }
        if (is_due) missed.clear();
        break;
      }
      default: prefetch_.Missed(size_class, clock_.Now()); ++missed[size_class];
    }
    prefetch_.CheckInvariants();
  }
}

}  // namespace
}  // namespace warmpool
