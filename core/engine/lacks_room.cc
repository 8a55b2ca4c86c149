#include "core/engine/lacks_room.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

// Marks a status (absl::Status::SetPayload); it does not leave the process.
constexpr char kLacksRoom[] = "warmpool/lacks-room";

}  // namespace

bool LacksRoom(const absl::Status& status) {
  return status.GetPayload(kLacksRoom).has_value();
}

absl::Status LackingRoom(absl::Status status) {
  status.SetPayload(kLacksRoom, absl::Cord());
  return status;
}

absl::Status RefusedForRoom(const ByteLedger& ledger, uint64_t bytes) {
  const uint64_t obtainable = ledger.free() + ledger.in(ByteState::kRetained) +
                              ledger.in(ByteState::kBatched) +
                              ledger.in(ByteState::kStock);
  const uint64_t most =
      ledger.capacity() -
      std::min(ledger.capacity(), ledger.in(ByteState::kOverhead));
  absl::Status refusal = absl::ResourceExhaustedError(absl::StrCat(
      "no room for ", bytes, " bytes (", FormatByteSize(bytes),
      "): ", obtainable, " bytes free (", FormatByteSize(obtainable),
      ") of a capacity of ", FormatByteSize(ledger.capacity()), ", ",
      FormatByteSize(ledger.in(ByteState::kLeased)), " leased, ",
      FormatByteSize(ledger.in(ByteState::kQuarantined)),
      " quarantined: release some, or have the capacity raised"));
  return bytes > most ? refusal : LackingRoom(std::move(refusal));
}

}  // namespace warmpool
