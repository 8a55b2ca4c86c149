#include "core/pool/byte_ledger.h"

#include <cstdint>
#include <random>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(ByteLedgerTest, EveryByteIsSomewhere) {
  ByteLedger ledger(1000);
  EXPECT_EQ(ledger.free(), 1000u);
  ledger.Enter(ByteState::kOverhead, 10);
  ledger.Enter(ByteState::kLeased, 300);
  ledger.Move(ByteState::kLeased, ByteState::kRetained, 100);
  ledger.Move(ByteState::kRetained, ByteState::kBatched, 40);
  ledger.Leave(ByteState::kBatched, 15);
  EXPECT_EQ(ledger.in(ByteState::kOverhead), 10u);
  EXPECT_EQ(ledger.in(ByteState::kLeased), 200u);
  EXPECT_EQ(ledger.in(ByteState::kRetained), 60u);
  EXPECT_EQ(ledger.in(ByteState::kBatched), 25u);
  EXPECT_EQ(ledger.used(), 295u);
  EXPECT_EQ(ledger.free(), 705u);
}

TEST(ByteLedgerTest, TakenOverBytesMayExceedTheCapacity) {
  ByteLedger ledger(100);
  ledger.Enter(ByteState::kQuarantined, 250);
  EXPECT_EQ(ledger.free(), 0u);
  ledger.Leave(ByteState::kQuarantined, 200);
  EXPECT_EQ(ledger.free(), 50u);
}

TEST(ByteLedgerTest, AnUnlimitedCapacityDoesNotOverflow) {
  ByteLedger ledger(UINT64_MAX);
  ledger.Enter(ByteState::kLeased, 1);
  EXPECT_EQ(ledger.free(), UINT64_MAX - 1);
}

TEST(ByteLedgerDeathTest, BytesCannotLeaveWhereTheyAreNot) {
  ByteLedger ledger(100);
  ledger.Enter(ByteState::kLeased, 10);
  EXPECT_DEATH(ledger.Leave(ByteState::kLeased, 11), "were not in");
  EXPECT_DEATH(ledger.Move(ByteState::kRetained, ByteState::kLeased, 1),
               "were not in");
}

TEST(ByteLedgerTest, AddsUpAfterAnyMoves) {
  std::mt19937_64 random(1);
  constexpr uint64_t kCapacity = 1 << 20;
  ByteLedger ledger(kCapacity);
  for (int i = 0; i < 10000; ++i) {
    const auto from = static_cast<ByteState>(random() % kByteStateCount);
    const auto to = static_cast<ByteState>(random() % kByteStateCount);
    switch (random() % 3) {
      case 0:
        if (ledger.free() > 0) ledger.Enter(to, random() % ledger.free());
        break;
      case 1:
        ledger.Move(from, to, ledger.in(from) / 2);
        break;
      case 2:
        ledger.Leave(from, ledger.in(from) / 2);
        break;
    }
    uint64_t sum = ledger.free();
    for (size_t state = 0; state < kByteStateCount; ++state) {
      sum += ledger.in(static_cast<ByteState>(state));
    }
    ASSERT_EQ(sum, kCapacity);
  }
}

}  // namespace
}  // namespace warmpool
