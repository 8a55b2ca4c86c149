#include "core/engine/thread_tier.h"

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

struct Item {
  SizeClass item_class;
  size_t item_bytes;

  SizeClass size_class() const { return item_class; }
  size_t bytes() const { return item_bytes; }
};

using Tier = ThreadTier<Item>;

uint64_t Items(const Tier& tier) {
  return tier.Count([](SizeClass) { return 1; });
}

void Empty(Tier& tier) {
  tier.Sweep(/*all=*/true, [](Item*) {});
}

TEST(ThreadTierTest, GivesBackWhatWasPutOnce) {
  Tier tier(100);
  Item item{{3}, 100};
  EXPECT_EQ(tier.Take({3}), nullptr);
  EXPECT_TRUE(tier.Put(&item));
  EXPECT_EQ(Items(tier), 1u);
  EXPECT_EQ(tier.Take({3}), &item);
  EXPECT_EQ(tier.Take({3}), nullptr);
}

TEST(ThreadTierTest, GivesNoOtherClassThanAskedFor) {
  Tier tier(100);
  // Of one slot.
  Item item{{1}, 10};
  EXPECT_TRUE(tier.Put(&item));
  EXPECT_EQ(tier.Take({1 + Tier::kSlots}), nullptr);
  EXPECT_EQ(tier.Take({1}), &item);
}

TEST(ThreadTierTest, RefusesWhatItHasNoRoomForAndWhatIsTooLarge) {
  Tier tier(100);
  Item large{{2}, 101};
  EXPECT_FALSE(tier.Put(&large));
  std::vector<std::unique_ptr<Item>> items;
  for (uint32_t i = 0; i < Tier::kSlots; ++i) {
    items.push_back(std::make_unique<Item>(Item{{1}, 10}));
    EXPECT_TRUE(tier.Put(items.back().get()));
  }
  Item same{{1}, 10}, other{{2}, 10};
  EXPECT_FALSE(tier.Put(&same));
  EXPECT_FALSE(tier.Put(&other));
  EXPECT_NE(tier.Take({1}), nullptr);
  EXPECT_TRUE(tier.Put(&other));
  Empty(tier);
}

TEST(ThreadTierTest, GivesBackAsManyOfAClassAsWerePut) {
  Tier tier(100);
  std::vector<std::unique_ptr<Item>> items;
  for (uint32_t i = 0; i < Tier::kSlots; ++i) {
    items.push_back(std::make_unique<Item>(Item{{5}, 10}));
    EXPECT_TRUE(tier.Put(items.back().get()));
  }
  for (uint32_t i = 0; i < Tier::kSlots; ++i)
    EXPECT_NE(tier.Take({5}), nullptr);
  EXPECT_EQ(tier.Take({5}), nullptr);
}

TEST(ThreadTierTest, NeighbouringClassesDoNotPushEachOtherOut) {
  Tier tier(100);
  std::vector<std::unique_ptr<Item>> items;
  for (uint32_t i = 0; i < Tier::kSlots; ++i) {
    items.push_back(std::make_unique<Item>(Item{{16 + i}, 10}));
    EXPECT_TRUE(tier.Put(items.back().get()));
  }
  EXPECT_EQ(tier.Count([](SizeClass size_class) { return size_class.index; }),
            16u * 8 + 28);
  Empty(tier);
}

TEST(ThreadTierTest, ASweepTakesOutWhatLayHereSinceTheLast) {
  Tier tier(100);
  Item item{{1}, 10};
  std::vector<Item*> swept;
  const auto take = [&swept](Item* taken) { swept.push_back(taken); };
  EXPECT_TRUE(tier.Put(&item));
  EXPECT_TRUE(tier.Sweep(/*all=*/false, take));
  EXPECT_TRUE(swept.empty());
  // In use between two sweeps: not idle.
  EXPECT_EQ(tier.Take({1}), &item);
  EXPECT_TRUE(tier.Put(&item));
  EXPECT_TRUE(tier.Sweep(/*all=*/false, take));
  EXPECT_TRUE(swept.empty());
  EXPECT_FALSE(tier.Sweep(/*all=*/false, take));
  EXPECT_EQ(swept, std::vector<Item*>{&item});
  EXPECT_EQ(Items(tier), 0u);
}

TEST(ThreadTierTest, WhatAThreadLeftBehindIsSweptOut) {
  Tier tier(100);
  Item item{{1}, 10};
  std::thread([&] { EXPECT_TRUE(tier.Put(&item)); }).join();
  Item* swept = nullptr;
  tier.Sweep(/*all=*/true, [&swept](Item* taken) { swept = taken; });
  EXPECT_EQ(swept, &item);
}

TEST(ThreadTierTest, LimitsWithinATotalBoundAllShardsTogether) {
  constexpr size_t kTotal = 1 << 20;
  const Tier::Limits limits = Tier::LimitsWithin(kTotal);
  EXPECT_EQ(limits.front(), kTotal / Tier::kShards / 2);
  uint64_t shard = 0;
  for (const size_t limit : limits) shard += limit;
  EXPECT_LE(shard * Tier::kShards, kTotal);

  Tier tier(limits);
  Item half{{1}, limits[0]}, half_too{{1}, limits[0]}, quarter{{2}, limits[1]},
      small{{3}, 1}, larger{{4}, limits[0] + 1};
  EXPECT_FALSE(tier.Put(&larger));
  EXPECT_TRUE(tier.Put(&small));
  EXPECT_TRUE(tier.Put(&half));
  EXPECT_FALSE(tier.Put(&half_too)) << "there is one slot for its like";
  EXPECT_TRUE(tier.Put(&quarter));
  Empty(tier);
}

TEST(ThreadTierTest, SmallItemsLeaveTheSlotsForLargeOnesFree) {
  Tier tier(Tier::LimitsWithin(1 << 20));
  std::vector<std::unique_ptr<Item>> items;
  for (uint32_t i = 0; i < Tier::kSlots - 1; ++i) {
    items.push_back(std::make_unique<Item>(Item{{i}, 10}));
    EXPECT_TRUE(tier.Put(items.back().get()));
  }
  Item large{{9}, (1 << 20) / Tier::kShards / 2};
  EXPECT_TRUE(tier.Put(&large));
  Empty(tier);
}

TEST(ThreadTierTest, AClosedOneGivesUpWhatItHasAndTakesNothingIn) {
  Tier tier(100);
  Item item{{0}, 10}, other{{0}, 10};
  EXPECT_TRUE(tier.Put(&item));
  std::vector<Item*> taken;
  tier.Close([&taken](Item* item) { taken.push_back(item); });
  EXPECT_EQ(taken, std::vector<Item*>{&item});
  EXPECT_FALSE(tier.Put(&other));
  EXPECT_EQ(tier.Take({0}), nullptr);
  EXPECT_EQ(tier.Take({0xffff}), nullptr);
  EXPECT_EQ(Items(tier), 0u);
  EXPECT_FALSE(tier.Sweep(/*all=*/true, [](Item*) { FAIL(); }));
  EXPECT_FALSE(tier.Put(&other)) << "a sweep opens nothing";
  tier.Open();
  EXPECT_TRUE(tier.Put(&other));
  tier.Open();
  EXPECT_EQ(tier.Take({0}), &other) << "opening an open one changes nothing";
}

TEST(ThreadTierTest, NothingIsLeftInAClosedOneHoweverManyPut) {
  // Each item ends with its thread or with whoever closed.
  constexpr int kRounds = 500;
  for (int round = 0; round < kRounds; ++round) {
    auto tier = std::make_unique<Tier>(100);
    std::atomic<bool> go = false;
    std::array<Item, 2> items = {Item{{1}, 10}, Item{{2}, 10}};
    std::array<bool, 2> kept{};
    std::vector<std::thread> threads;
    for (size_t t = 0; t < items.size(); ++t) {
      threads.emplace_back([&, t] {
        while (!go) continue;
        kept[t] = !tier->Put(&items[t]);
      });
    }
    int closed_out = 0;
    go = true;
    tier->Close([&closed_out](Item*) { ++closed_out; });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(kept[0] + kept[1] + closed_out, 2);
  }
}

TEST(ThreadTierTest, CountsWhatItGave) {
  Tier tier(100);
  Item item{{1}, 10};
  tier.Take({1});
  for (int i = 0; i < 3; ++i) {
    tier.Put(&item);
    tier.Take({1});
  }
  EXPECT_EQ(tier.taken(), 3u);
}

TEST(ThreadTierTest, NoItemIsEverWithTwo) {
  // More threads than shards, so that some share one, and a sweeper.
  constexpr int kThreads = 24;
  constexpr int kRounds = 20'000;
  struct Owned : Item {
    std::atomic<int> owners{1};
  };
  ThreadTier<Owned> tier(100);
  std::vector<std::unique_ptr<Owned>> items(kThreads);
  std::vector<std::thread> threads;
  std::atomic<int> running{kThreads};
  std::vector<std::vector<Owned*>> left(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    items[t] = std::make_unique<Owned>();
    items[t]->item_class = {static_cast<uint32_t>(t % 3)};
    items[t]->item_bytes = 10;
    threads.emplace_back([&, t] {
      std::vector<Owned*>& mine = left[t];
      mine.push_back(items[t].get());
      for (int i = 0; i < kRounds; ++i) {
        if (!mine.empty()) {
          Owned* const item = mine.back();
          EXPECT_EQ(item->owners.fetch_sub(1), 1);
          if (tier.Put(item)) {
            mine.pop_back();
          } else {
            item->owners.fetch_add(1);
          }
        }
        if (Owned* const taken = tier.Take({static_cast<uint32_t>(i % 3)})) {
          EXPECT_EQ(taken->owners.fetch_add(1), 0);
          mine.push_back(taken);
        }
      }
      --running;
    });
  }
  std::vector<Owned*> swept;
  while (running > 0) {
    tier.Sweep(/*all=*/false, [&swept](Owned* item) {
      EXPECT_EQ(item->owners.fetch_add(1), 0);
      swept.push_back(item);
    });
  }
  for (std::thread& thread : threads) thread.join();
  tier.Sweep(/*all=*/true, [&swept](Owned* item) { swept.push_back(item); });
  size_t found = swept.size();
  for (const auto& mine : left) found += mine.size();
  EXPECT_EQ(found, items.size());
}

void DropFullTier() {
  Tier tier(100);
  Item item{{1}, 10};
  tier.Put(&item);
}

TEST(ThreadTierDeathTest, MustBeSweptBeforeItGoes) {
  EXPECT_DEATH(DropFullTier(), "before it was swept");
}

}  // namespace
}  // namespace warmpool
