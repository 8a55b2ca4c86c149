#include "core/engine/byte_ledger.h"

#include <cstdint>
#include <random>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

constexpr SizeClass kClass{3};
constexpr SizeClass kOtherClass{70};

TEST(ByteLedgerTest, TellsWhatEachSizeClassHas) {
  ByteLedger ledger(1000);
  ledger.Enter(ByteState::kLeased, kClass, 300);
  ledger.Enter(ByteState::kLeased, kOtherClass, 200);
  ledger.Move(ByteState::kLeased, ByteState::kRetained, kOtherClass, 50);
  EXPECT_EQ(ledger.in(ByteState::kLeased), 450u);
  EXPECT_EQ(ledger.in(ByteState::kLeased, kClass), 300u);
  EXPECT_EQ(ledger.in(ByteState::kLeased, kOtherClass), 150u);
  EXPECT_EQ(ledger.in(ByteState::kRetained, kOtherClass), 50u);
  EXPECT_EQ(ledger.in(ByteState::kRetained, kClass), 0u);
  EXPECT_EQ(ledger.in(ByteState::kLeased, SizeClass{71}), 0u);
  EXPECT_DEATH(ledger.Leave(ByteState::kRetained, kClass, 1), "were not in");
}

TEST(ByteLedgerTest, EveryByteIsSomewhere) {
  ByteLedger ledger(1000);
  EXPECT_EQ(ledger.free(), 1000u);
  ledger.EnterOverhead(10);
  ledger.Enter(ByteState::kLeased, kClass, 300);
  ledger.Move(ByteState::kLeased, ByteState::kRetained, kClass, 100);
  ledger.Move(ByteState::kRetained, ByteState::kBatched, kClass, 40);
  ledger.Leave(ByteState::kBatched, kClass, 15);
  EXPECT_EQ(ledger.in(ByteState::kOverhead), 10u);
  EXPECT_EQ(ledger.in(ByteState::kLeased), 200u);
  EXPECT_EQ(ledger.in(ByteState::kRetained), 60u);
  EXPECT_EQ(ledger.in(ByteState::kBatched), 25u);
  EXPECT_EQ(ledger.used(), 295u);
  EXPECT_EQ(ledger.free(), 705u);
}

TEST(ByteLedgerTest, TakenOverBytesMayExceedTheCapacity) {
  ByteLedger ledger(100);
  ledger.Enter(ByteState::kQuarantined, kClass, 250);
  EXPECT_EQ(ledger.free(), 0u);
  ledger.Leave(ByteState::kQuarantined, kClass, 200);
  EXPECT_EQ(ledger.free(), 50u);
}

TEST(ByteLedgerTest, AnUnlimitedCapacityDoesNotOverflow) {
  ByteLedger ledger(UINT64_MAX);
  ledger.Enter(ByteState::kLeased, kClass, 1);
  EXPECT_EQ(ledger.free(), UINT64_MAX - 1);
}

TEST(ByteLedgerDeathTest, BytesCannotLeaveWhereTheyAreNot) {
  ByteLedger ledger(100);
  ledger.Enter(ByteState::kLeased, kClass, 10);
  EXPECT_DEATH(ledger.Leave(ByteState::kLeased, kClass, 11), "were not in");
  EXPECT_DEATH(ledger.Move(ByteState::kRetained, ByteState::kLeased, kClass, 1),
               "were not in");
}

TEST(ByteLedgerTest, AddsUpAfterAnyMoves) {
  std::mt19937_64 random(1);
  constexpr uint64_t kCapacity = 1 << 20;
  ByteLedger ledger(kCapacity);
  for (int i = 0; i < 10000; ++i) {
    const auto from = static_cast<ByteState>(random() % kByteStateCount);
    const auto to = static_cast<ByteState>(random() % kByteStateCount);
    const SizeClass size_class = random() % 2 == 0 ? kClass : kOtherClass;
    switch (random() % 3) {
      case 0:
        if (ledger.free() > 0) {
          ledger.Enter(to, size_class, random() % ledger.free());
        }
        break;
      case 1:
        ledger.Move(from, to, size_class, ledger.in(from, size_class) / 2);
        break;
      case 2:
        ledger.Leave(from, size_class, ledger.in(from, size_class) / 2);
        break;
    }
    uint64_t sum = ledger.free();
    for (size_t i = 0; i < kByteStateCount; ++i) {
      const auto state = static_cast<ByteState>(i);
      sum += ledger.in(state);
      ASSERT_EQ(ledger.in(state),
                ledger.in(state, kClass) + ledger.in(state, kOtherClass));
    }
    ASSERT_EQ(sum, kCapacity);
  }
}

}  // namespace
}  // namespace warmpool
