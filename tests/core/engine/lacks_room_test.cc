#include "core/engine/lacks_room.h"

#include <string>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(LacksRoomTest, OnlyAMarkedStatusIsForWantOfRoom) {
  const absl::Status status = absl::ResourceExhaustedError("quota");
  EXPECT_FALSE(LacksRoom(status));
  EXPECT_TRUE(LacksRoom(LackingRoom(status)));
  EXPECT_FALSE(LacksRoom(absl::OkStatus()));
}

TEST(LacksRoomTest, ARefusalTellsWhatALeaseCouldGetAndWhatTakesTheRest) {
  ByteLedger ledger(64 * 1024);
  ledger.Enter(ByteState::kLeased, SizeClass{0}, 40 * 1024);
  ledger.Enter(ByteState::kRetained, SizeClass{0}, 4 * 1024);
  ledger.Enter(ByteState::kBatched, SizeClass{0}, 4 * 1024);
  ledger.Enter(ByteState::kStock, SizeClass{0}, 4 * 1024);
  ledger.Enter(ByteState::kQuarantined, SizeClass{0}, 4 * 1024);
  const absl::Status refusal = RefusedForRoom(ledger, 32 * 1024);
  EXPECT_TRUE(LacksRoom(refusal));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      std::string(refusal.message()),
      "no room for 32768 bytes (32 KiB): 20480 bytes free (20 KiB) of a "
      "capacity of 64 KiB, 40 KiB leased, 4 KiB quarantined: release some, "
      "or have the capacity raised");
}

TEST(LacksRoomTest, WaitingDoesNotHelpWhereTheWholeCapacityWouldNotDo) {
  ByteLedger ledger(64 * 1024);
  EXPECT_TRUE(LacksRoom(RefusedForRoom(ledger, 64 * 1024)));
  EXPECT_FALSE(LacksRoom(RefusedForRoom(ledger, 64 * 1024 + 1)));
  ledger.EnterOverhead(1);
  EXPECT_FALSE(LacksRoom(RefusedForRoom(ledger, 64 * 1024)));
}

}  // namespace
}  // namespace warmpool
