// What a client asks of the pool: a lease, an attach, a seal, a claim.
//
// Plain values.
#ifndef WARMPOOL_CORE_LEASE_LEASE_REQUEST_H_
#define WARMPOOL_CORE_LEASE_LEASE_REQUEST_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/base/random_id.h"
#include "core/memory/directory/sharing.h"

namespace warmpool {

using LeaseId = RandomId;
using RequestId = RandomId;

// Names a client within its process, whatever daemon it talks to. Null: the
// client does not say.
using ClientId = RandomId;

// What a holder may do with its mapping.
enum class Access {
  kReadOnly,
  kSharedWritable,
};

// nullopt: the pool's default. Zero: as long as the holder lives.
using RequestedTtl = std::optional<absl::Duration>;

struct LeaseRequest {
  RequestId request_id;
  ClientId client_id;
  uint64_t bytes = 0;
  // nullopt: the pool makes one up.
  std::optional<std::string> name;
  // The channel that the buffer is to be in, instead of having a name of its
  // own.
  std::optional<std::string> channel = std::nullopt;
  RequestedTtl ttl;
  bool require_zeroed = false;
  // Only what is ready: no memory is made, and no room. NOT_FOUND otherwise.
  bool if_ready = false;
  // The caller does not try again: a refusal is counted.
  bool is_last_try = true;
};

struct AttachRequest {
  RequestId request_id;
  ClientId client_id;
  std::string name;
  RequestedTtl ttl;
  // kReadOnly: of a sealed buffer. kSharedWritable: of one that is not.
  Access access = Access::kReadOnly;
  // The uid that the buffer belongs to. nullopt: the caller's.
  std::optional<uid_t> owner = std::nullopt;
};

struct SealRequest {
  // For how long the buffer is kept after the end of its sealer's lease.
  absl::Duration linger;
  // Others than its uid who may attach to it.
  Sharing share_with;
  // What its user asked for last. 0: as it was.
  uint64_t bytes = 0;
};

struct ClaimRequest {
  RequestId request_id;
  ClientId client_id;
  // The ticket.
  LeaseId ticket;
  RequestedTtl ttl;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_LEASE_LEASE_REQUEST_H_
