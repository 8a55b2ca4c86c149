// LacksRoom: the refusals of leases for want of memory, told apart from others.
//
// Functions of their arguments only.
#ifndef WARMPOOL_CORE_ENGINE_LACKS_ROOM_H_
#define WARMPOOL_CORE_ENGINE_LACKS_ROOM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/engine/byte_ledger.h"

namespace warmpool {

// Whether a RESOURCE_EXHAUSTED is for want of memory that others may give back,
// so that it may help to wait. It does not against a limit of the caller's own,
// or where the whole capacity would not do.
bool LacksRoom(const absl::Status& status);

// Marks a status so that LacksRoom is true of it.
absl::Status LackingRoom(absl::Status status);

// RESOURCE_EXHAUSTED for a segment of `bytes` bytes, telling what the capacity
// is taken up by. LacksRoom is true of it unless the whole capacity would not
// do.
absl::Status RefusedForRoom(const ByteLedger& ledger, uint64_t bytes);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_LACKS_ROOM_H_
