// The words of leasing: holders, requests, grants, and how leases end.
#ifndef WARMPOOL_CORE_LEASE_LEASE_H_
#define WARMPOOL_CORE_LEASE_LEASE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/random_id.h"
#include "core/engine/warmth.h"
#include "core/memory/directory/sharing.h"

namespace warmpool {

using LeaseId = RandomId;
using RequestId = RandomId;

// Names a holder within one daemon's life; never given twice.
using HolderId = uint64_t;

// Names a client within its process, whatever daemon it talks to. Null: the
// client does not say.
using ClientId = RandomId;

// A process as people know it.
struct Process {
  pid_t pid = 0;
  uid_t uid = 0;
  // Command name as the kernel tells it; empty if not known.
  std::string command;
};

// A client process.
struct Holder {
  Process process() const { return {pid, uid, command}; }

  HolderId id = 0;
  pid_t pid = 0;
  uid_t uid = 0;
  // Command name as the kernel tells it; empty if not known.
  std::string command;
  // May see and end what other holders have.
  bool admin = false;
  // Tells the process from every other that has had or will have its pid since
  // the machine started: the inode of its pidfd (Linux 6.9), or its start time.
  // 0: not known, so that no later daemon can recognise it.
  uint64_t instance = 0;
  // Its groups, where they are known.
  std::vector<gid_t> gids = {};
};

// What a holder has.
struct HolderUsage {
  Holder holder;
  size_t leases = 0;
  // Of their segments. Where several leases are on one segment, each counts.
  uint64_t bytes = 0;
};

// Leases of a kind that no process has.
struct UnheldCount {
  size_t leases = 0;
  // Of their segments.
  uint64_t bytes = 0;

  friend bool operator==(const UnheldCount&, const UnheldCount&) = default;
};

// One of them.
struct UnheldLease {
  std::string buffer_name;
  // Of the buffer.
  uid_t uid = 0;
  bool is_ticket = false;
  // Of the segment.
  uint64_t bytes = 0;
  Process maker;
  absl::Duration ttl_left;
};

// What a holder may do with its mapping.
enum class Access {
  kReadOnly,
  kSharedWritable,
};

// Whether a holder is known to count on its lease.
enum class LeaseState {
  kLive,
  // Taken over from an earlier daemon by its journal, and its holder has not
  // shown itself since: it has not renewed, asserted or asked for it again.
  kRecovering,
};

// What a lease is for.
enum class LeaseKind {
  // A client process has it.
  kHeld,
  // Nobody has it: it waits for whoever claims it with its id, the ticket.
  kTicket,
  // Nobody has it: it keeps a sealed buffer for those who attach to it later.
  kLingering,
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

// A lease as its holder needs it.
struct LeaseGrant {
  LeaseId id;
  uint64_t generation = 0;
  std::string buffer_name;
  // Absolute path of the segment's file.
  std::string path;
  // Bytes asked for, and bytes of the segment.
  uint64_t bytes = 0;
  uint64_t segment_bytes = 0;
  size_t page_bytes = 0;
  Warmth warmth = Warmth::kFresh;
  bool zeroed = false;
  // Time to live granted. Zero: as long as the holder lives.
  absl::Duration ttl;
  Access access = Access::kSharedWritable;
  // Nobody can write to the buffer any more.
  bool sealed = false;
};

// A lease that a client says it has, after a daemon has started anew: what it
// takes to take it up again where the daemon's own journal does not tell.
struct AssertedLease {
  LeaseId id;
  RequestId request_id;
  ClientId client_id;
  uint64_t generation = 0;
  std::string buffer_name;
  // Name of the segment's file in the daemon's directory.
  std::string file_name;
  uint64_t bytes = 0;
  Access access = Access::kSharedWritable;
  bool sealed = false;
  absl::Duration ttl;
};

struct LeaseRef {
  LeaseId id;
  // 0: not checked.
  uint64_t generation = 0;
  // On release: those of the other members of its channel end, too.
  bool for_all_members = false;
};

enum class EndCause {
  kReleased,
  kExpired,
  // A ticket: nobody claimed it within its time to live.
  kUnclaimed,
  // A sealed buffer was kept for as long as its sealer asked for.
  kLingered,
  kRevoked,
  kHolderDied,
  // Its holder had no connection for long, and nobody had the segment.
  kUnused,
  // Its holder made a ticket of it, or the ticket was claimed.
  kHandedOver,
};

// Tells a holder that a lease of its own ended without its release.
struct RevokedLease {
  HolderId holder = 0;
  LeaseId id;
  std::string buffer_name;
  EndCause cause = EndCause::kRevoked;
};

// OK if `name` may name a buffer: 1 to 128 letters, digits and "._-/".
// INVALID_ARGUMENT otherwise, naming it with unprintable bytes escaped.
absl::Status ValidateBufferName(absl::string_view name);

// OK if `channel` may name a channel: the same, but up to 80 bytes, so that its
// buffers' names fit too.
absl::Status ValidateChannelName(absl::string_view channel);

// OK if a buffer can have been given that name: as ValidateBufferName, or as a
// buffer's in a channel.
absl::Status ValidateGivenName(absl::string_view name);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_LEASE_LEASE_H_
