#include "core/engine/stock.h"

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "core/base/byte_size.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

constexpr uid_t kUid = 1000;
constexpr uint64_t kSize = 2 * kMiB;
constexpr absl::Duration kDecay = absl::Seconds(10);

// Segments here are handles of nothing: Stock ends none.
class StockTest : public testing::Test {
 protected:
  ~StockTest() override {
    if (stock_.has_value()) stock_->TakeAll();
  }

  void Make(uint64_t max_bytes, size_t max_per_class = 64) {
    stock_.emplace(Stock::Options{max_bytes, max_per_class, kDecay});
  }

  static SizeClass ClassOf(uint64_t bytes) {
    return SizeClasses().For(bytes).value();
  }

  void Demand(size_t times, uint64_t bytes = kSize, uid_t owner = kUid) {
    for (; times > 0; --times) {
      stock_->RecordDemand(owner, ClassOf(bytes), bytes, clock_.Now());
      stock_->CheckInvariants();
    }
  }

  // Makes what is wanted most; its bytes, 0 if there is nothing.
  uint64_t MakeOne(uint64_t room = UINT64_MAX) {
    const auto order = stock_->PlaceOrder(room, clock_.Now());
    stock_->CheckInvariants();
    if (!order.has_value()) return 0;
    stock_->Put(Segment(order->size_class, order->bytes, order->owner));
    stock_->CheckInvariants();
    return order->bytes;
  }
  size_t MakeAll() {
    size_t made = 0;
    while (MakeOne() > 0) ++made;
    return made;
  }
  size_t Surplus() {
    const size_t surplus = stock_->TakeSurplus(clock_.Now()).size();
    stock_->CheckInvariants();
    return surplus;
  }

  FakeClock clock_;
  std::optional<Stock> stock_;
};

TEST_F(StockTest, NothingIsWantedBeforeASecondLeaseAsksForIt) {
  Make(kGiB);
  Demand(1);
  EXPECT_EQ(MakeAll(), 0u);
  Demand(1);
  EXPECT_TRUE(stock_->Lacks(kUid, ClassOf(kSize)));
  EXPECT_EQ(MakeAll(), 2u);
  EXPECT_FALSE(stock_->LacksAny());
  EXPECT_TRUE(stock_->Holds(kUid, ClassOf(kSize)));
  EXPECT_FALSE(stock_->Holds(kUid + 1, ClassOf(kSize)));
  EXPECT_FALSE(stock_->Take(kUid + 1, ClassOf(kSize)).has_value());
  EXPECT_TRUE(stock_->Take(kUid, ClassOf(kSize)).has_value());
  EXPECT_EQ(stock_->bytes(), kSize);
}

TEST_F(StockTest, ACapOfNothingKeepsNoBook) {
  Make(0);
  Demand(5);
  EXPECT_EQ(stock_->NextSurplus(), absl::InfiniteFuture());
  EXPECT_EQ(MakeAll(), 0u);
}

TEST_F(StockTest, ABurstLikeTheLastOneFindsAsManyReady) {
  Make(kGiB);
  Demand(7);
  clock_.Advance(kDecay / 2);
  Demand(3);
  EXPECT_EQ(MakeAll(), 7u);
}

TEST_F(StockTest, AShelfAndAllTogetherAreBounded) {
  Make(8 * kSize, /*max_per_class=*/3);
  Demand(100);
  EXPECT_EQ(MakeAll(), 3u);
  Demand(100, 4 * kSize);
  EXPECT_EQ(MakeAll(), 1u);
  Demand(100, 16 * kSize);
  EXPECT_EQ(MakeAll(), 0u) << "one alone is beyond the cap";
}

TEST_F(StockTest, TheShelfWithTheFewestBytesComesFirst) {
  Make(8 * kSize);
  Demand(100, kSize, kUid);
  EXPECT_EQ(MakeOne(), kSize);
  EXPECT_EQ(MakeOne(), kSize);
  Demand(100, kSize, kUid + 1);
  Demand(100, 2 * kSize, kUid);
  MakeAll();
  size_t others = 0;
  while (stock_->Take(kUid + 1, ClassOf(kSize)).has_value()) ++others;
  EXPECT_GE(others, 2u);
  EXPECT_TRUE(stock_->Holds(kUid, ClassOf(2 * kSize)));
}

TEST_F(StockTest, AnOrderTakesNoMoreThanTheRoomThatThereIs) {
  Make(kGiB);
  Demand(2, 4 * kSize);
  EXPECT_EQ(MakeOne(4 * kSize - 1), 0u);
  Demand(2);
  EXPECT_EQ(MakeOne(4 * kSize - 1), kSize);
  EXPECT_EQ(MakeOne(4 * kSize), 4 * kSize);
}

TEST_F(StockTest, WhatIsOnOrderIsNotOrderedAgain) {
  Make(kGiB);
  Demand(2);
  const auto first = stock_->PlaceOrder(UINT64_MAX, clock_.Now());
  const auto second = stock_->PlaceOrder(UINT64_MAX, clock_.Now());
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_FALSE(stock_->PlaceOrder(UINT64_MAX, clock_.Now()).has_value());
  EXPECT_EQ(stock_->ordered_bytes(), 2 * kSize);
  stock_->Cancel(*first);
  stock_->Cancel(*second);
  EXPECT_EQ(MakeAll(), 2u);
}

TEST_F(StockTest, WhatNobodyAsksForIsSurplusOnceTheDecayHasPassed) {
  Make(kGiB);
  const absl::Time look =
      stock_->RecordDemand(kUid, ClassOf(kSize), kSize, clock_.Now());
  EXPECT_EQ(look, clock_.Now() + kDecay / 2);
  Demand(5);
  EXPECT_EQ(MakeAll(), 6u);
  clock_.Advance(kDecay / 2);
  EXPECT_EQ(Surplus(), 0u);
  Demand(2);
  clock_.Advance(kDecay / 2);
  EXPECT_EQ(Surplus(), 4u) << "two were asked for since";
  EXPECT_LE(stock_->NextSurplus(), clock_.Now() + kDecay / 2);
  clock_.Advance(kDecay);
  EXPECT_EQ(Surplus(), 2u);
  EXPECT_EQ(stock_->NextSurplus(), absl::InfiniteFuture());
}

TEST_F(StockTest, RoomIsMadeOfTheLargestFirstAndNoMoreThanNeeded) {
  Make(kGiB);
  Demand(2);
  Demand(2, 4 * kSize);
  EXPECT_EQ(MakeAll(), 4u);
  const std::vector<Segment> taken = stock_->TakeForRoom(4 * kSize + 1);
  stock_->CheckInvariants();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1].bytes(), 4 * kSize);
  EXPECT_EQ(stock_->TakeAll().size(), 2u);
}

// Beside a model that keeps every lease's time.
TEST_F(StockTest, KeepsToItsBoundsWhateverHappens) {
  Make(16 * kSize, /*max_per_class=*/5);
  std::mt19937 random(20240611);
  const auto pick = [&](uint32_t n) {
    return static_cast<uint32_t>(random() % n);
  };
  using Key = std::pair<uid_t, uint64_t>;
  std::map<Key, std::vector<absl::Time>> demands;
  std::map<Key, size_t> held;
  std::vector<Stock::Order> orders;
  for (int step = 0; step < 20000; ++step) {
    const Key key(kUid + pick(3), kSize << pick(3));
    const absl::Time now = clock_.Now();
    switch (pick(7)) {
      case 0:
      case 1:
        stock_->RecordDemand(key.first, ClassOf(key.second), key.second, now);
        demands[key].push_back(now);
        break;
      case 2:
        if (const auto order = stock_->PlaceOrder(kSize << pick(3), now)) {
          size_t lately = 0;
          for (const absl::Time at : demands[{order->owner, order->bytes}]) {
            lately += at + kDecay > now;
          }
          EXPECT_GE(lately, Stock::kMinDemand) << "made without demand";
          EXPECT_LE((held[{order->owner, order->bytes}]), lately);
          orders.push_back(*order);
        }
        break;
      case 3:
        if (orders.empty()) break;
        if (pick(4) == 0) {
          stock_->Cancel(orders.back());
        } else {
          const Stock::Order& order = orders.back();
          ++held[{order.owner, order.bytes}];
          stock_->Put(Segment(order.size_class, order.bytes, order.owner));
        }
        orders.pop_back();
        break;
      case 4: {
        const bool taken =
            stock_->Take(key.first, ClassOf(key.second)).has_value();
        EXPECT_EQ(taken, held[key] > 0);
        held[key] -= taken;
        break;
      }
      case 5:
        clock_.Advance(absl::Milliseconds(pick(2000)));
        for (const Segment& segment : stock_->TakeSurplus(clock_.Now())) {
          --held[{segment.owner(), segment.bytes()}];
        }
        break;
      case 6:
        if (pick(8) > 0) break;
        for (const Segment& segment : stock_->TakeForRoom(kSize * pick(9))) {
          --held[{segment.owner(), segment.bytes()}];
        }
    }
    stock_->CheckInvariants();
    size_t total = 0;
    for (const auto& [of, count] : held) total += count;
    ASSERT_EQ(stock_->size(), total);
  }
  for (const Stock::Order& order : orders) stock_->Cancel(order);
  clock_.Advance(kDecay);
  Surplus();
  EXPECT_EQ(stock_->size(), 0u);
}

}  // namespace
}  // namespace warmpool
