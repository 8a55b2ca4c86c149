#include "tests/core/pool/model/expected_answers.h"

#include <algorithm>

#include "tests/core/pool/model/client_files.h"

namespace warmpool {
namespace {

using absl::StatusCode;
using Buffer = ExpectedPool::Buffer;
using BufferKey = ExpectedPool::BufferKey;

const Buffer* FindBuffer(const ExpectedPool& expected, const BufferKey& key) {
  const auto it = expected.buffers().find(key);
  return it == expected.buffers().end() ? nullptr : &it->second;
}

bool HasTicket(const ExpectedPool& expected, const Buffer& buffer) {
  return std::any_of(
      buffer.leases.begin(), buffer.leases.end(), [&](const LeaseId& id) {
        return expected.leases().at(id).kind == LeaseKind::kTicket;
      });
}

bool IsSharedWith(const Sharing& sharing, const Holder& holder) {
  for (const uid_t uid : sharing.uids) {
    if (uid == holder.uid) return true;
  }
  for (const gid_t gid : sharing.gids) {
    if (std::count(holder.gids.begin(), holder.gids.end(), gid) > 0)
      return true;
  }
  return false;
}

// Of a request that is about a lease which must be live.
StatusCode CodeOfLiveLease(const ExpectedPool& expected, HolderId holder,
                           const LeaseRef& ref) {
  const StatusCode code =
      CodeOfLeaseRef(expected, holder, ref, /*as_admin=*/false);
  if (code != StatusCode::kOk || expected.leases().contains(ref.id))
    return code;
  return StatusCode::kFailedPrecondition;
}

// Of a request that gives the lease's buffer to others, with so many bytes.
StatusCode CodeOfHandOver(const ExpectedPool& expected, HolderId holder,
                          const LeaseRef& ref, uint64_t bytes) {
  const StatusCode code = CodeOfLiveLease(expected, holder, ref);
  if (code != StatusCode::kOk) return code;
  const Buffer& buffer = expected.BufferOf(ref.id);
  if (ExpectedPool::InChannel(expected.leases().at(ref.id).buffer) ||
      buffer.sealed || buffer.leases.size() > 1) {
    return StatusCode::kFailedPrecondition;
  }
  return bytes > buffer.segment_bytes ? StatusCode::kInvalidArgument
                                      : StatusCode::kOk;
}

}  // namespace

StatusCode CodeOfLeaseRef(const ExpectedPool& expected, HolderId holder,
                          const LeaseRef& ref, bool as_admin) {
  const auto lease = expected.leases().find(ref.id);
  const bool is_live = lease != expected.leases().end();
  const auto ended = expected.ended().find(ref.id);
  if (!is_live && ended == expected.ended().end()) return StatusCode::kNotFound;
  const HolderId owner = is_live ? lease->second.holder : ended->second.holder;
  if (owner != holder && !as_admin) return StatusCode::kPermissionDenied;
  if (!is_live) {
    return ended->second.cause == EndCause::kReleased
               ? StatusCode::kOk
               : StatusCode::kFailedPrecondition;
  }
  return ref.generation == 0 ||
                 ref.generation == expected.BufferOf(ref.id).generation
             ? StatusCode::kOk
             : StatusCode::kFailedPrecondition;
}

StatusCode CodeOfLease(const ExpectedPool& expected, HolderId holder,
                       const LeaseRequest& request) {
  if (request.name.has_value() && request.channel.has_value()) {
    return StatusCode::kInvalidArgument;
  }
  const auto caller = expected.holders().find(holder);
  if (caller == expected.holders().end()) return StatusCode::kUnavailable;
  if (request.name.has_value() &&
      expected.buffers().contains({caller->second.uid, *request.name})) {
    return StatusCode::kAlreadyExists;
  }
  return StatusCode::kOk;
}

StatusCode CodeOfAttach(const ExpectedPool& expected, HolderId holder,
                        const AttachRequest& request) {
  const auto caller = expected.holders().find(holder);
  if (caller == expected.holders().end()) return StatusCode::kUnavailable;
  const uid_t uid = caller->second.uid;
  const uid_t owner = request.owner.value_or(uid);
  const bool writes = request.access == Access::kSharedWritable;
  const Buffer* const buffer = FindBuffer(expected, {owner, request.name});
  if (owner != uid) {
    if (writes) return StatusCode::kPermissionDenied;
    // Nobody learns of another uid's buffer that is not shared.
    if (buffer == nullptr || buffer->share_with.empty()) {
      return StatusCode::kNotFound;
    }
    if (!IsSharedWith(buffer->share_with, caller->second)) {
      return StatusCode::kPermissionDenied;
    }
  }
  if (buffer == nullptr) return StatusCode::kNotFound;
  if (writes) {
    return buffer->sealed || HasTicket(expected, *buffer)
               ? StatusCode::kFailedPrecondition
               : StatusCode::kOk;
  }
  if (ExpectedPool::InChannel({owner, request.name})) {
    return StatusCode::kFailedPrecondition;
  }
  return buffer->sealed ? StatusCode::kOk : StatusCode::kDeadlineExceeded;
}

bool MayResize(const ExpectedPool& expected, const LeaseId& id) {
  const Buffer& buffer = expected.BufferOf(id);
  return !buffer.sealed && buffer.leases.size() == 1 &&
         !ExpectedPool::InChannel(expected.leases().at(id).buffer);
}

StatusCode CodeOfRenewal(const ExpectedPool& expected, HolderId holder,
                         const LeaseRef& ref, uint64_t bytes) {
  const StatusCode code = CodeOfLiveLease(expected, holder, ref);
  if (code != StatusCode::kOk || !MayResize(expected, ref.id)) return code;
  return bytes > expected.BufferOf(ref.id).segment_bytes
             ? StatusCode::kInvalidArgument
             : StatusCode::kOk;
}

bool IsSealedAlready(const ExpectedPool& expected, HolderId holder,
                     const LeaseRef& ref) {
  return CodeOfLiveLease(expected, holder, ref) == StatusCode::kOk &&
         expected.BufferOf(ref.id).sealed;
}

StatusCode CodeOfSeal(const ExpectedPool& expected, HolderId holder,
                      const LeaseRef& ref, const SealRequest& request,
                      const SealLimits& limits) {
  if (request.linger < absl::ZeroDuration() ||
      request.linger > limits.max_linger) {
    return StatusCode::kInvalidArgument;
  }
  if (IsSealedAlready(expected, holder, ref)) return StatusCode::kOk;
  const StatusCode code = CodeOfHandOver(expected, holder, ref, request.bytes);
  if (code != StatusCode::kOk) return code;
  return request.share_with.empty() || limits.may_share
             ? StatusCode::kOk
             : StatusCode::kFailedPrecondition;
}

bool IsTicketOf(const ExpectedPool& expected, const LeaseId& ticket,
                const LeaseId& lease) {
  const auto live = expected.leases().find(ticket);
  return live != expected.leases().end() &&
         live->second.kind == LeaseKind::kTicket &&
         live->second.made_of == lease;
}

StatusCode CodeOfTicket(const ExpectedPool& expected, HolderId holder,
                        const LeaseRef& ref, const LeaseId& ticket,
                        RequestedTtl ttl, uint64_t bytes,
                        absl::Duration max_ttl) {
  if (ttl.has_value() && (*ttl <= absl::ZeroDuration() || *ttl > max_ttl)) {
    return StatusCode::kInvalidArgument;
  }
  if (ticket == LeaseId()) return StatusCode::kInvalidArgument;
  if (IsTicketOf(expected, ticket, ref.id)) return StatusCode::kOk;
  if (expected.leases().contains(ticket) || expected.ended().contains(ticket)) {
    return StatusCode::kAlreadyExists;
  }
  return CodeOfHandOver(expected, holder, ref, bytes);
}

StatusCode CodeOfClaim(const ExpectedPool& expected, HolderId holder,
                       const LeaseId& ticket) {
  const auto caller = expected.holders().find(holder);
  if (caller == expected.holders().end()) return StatusCode::kUnavailable;
  const auto ended = expected.ended().find(ticket);
  if (ended != expected.ended().end()) {
    return ended->second.holder == ExpectedPool::kNoHolder
               ? StatusCode::kFailedPrecondition
               : StatusCode::kNotFound;
  }
  const auto live = expected.leases().find(ticket);
  if (live == expected.leases().end() ||
      live->second.kind != LeaseKind::kTicket) {
    return StatusCode::kNotFound;
  }
  return live->second.buffer.first == caller->second.uid
             ? StatusCode::kOk
             : StatusCode::kPermissionDenied;
}

StatusCode CodeOfAssertion(const ExpectedPool& expected, HolderId holder,
                           const AssertedLease& asserted) {
  if (asserted.sealed && asserted.access != Access::kReadOnly) {
    return StatusCode::kInvalidArgument;
  }
  const auto caller = expected.holders().find(holder);
  if (caller == expected.holders().end()) return StatusCode::kUnavailable;
  const LeaseRef ref = {asserted.id, asserted.generation};
  if (expected.leases().contains(ref.id) || expected.ended().contains(ref.id)) {
    return CodeOfLiveLease(expected, holder, ref);
  }
  const Buffer* const buffer =
      FindBuffer(expected, {caller->second.uid, asserted.buffer_name});
  if (buffer == nullptr) return StatusCode::kNotFound;
  return FileNameOf(buffer->path) == asserted.file_name &&
                 buffer->generation == asserted.generation &&
                 buffer->sealed == asserted.sealed &&
                 !HasTicket(expected, *buffer)
             ? StatusCode::kOk
             : StatusCode::kFailedPrecondition;
}

}  // namespace warmpool
