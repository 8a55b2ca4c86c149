#include "tests/core/pool/model/expected_pool.h"

#include <algorithm>

#include "core/base/channel_name.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

// What running out of time to live means for a lease.
EndCause CauseOf(EndCause cause, LeaseKind kind) {
  if (cause != EndCause::kExpired || kind == LeaseKind::kHeld) return cause;
  return kind == LeaseKind::kTicket ? EndCause::kUnclaimed
                                    : EndCause::kLingered;
}

}  // namespace

bool ExpectedPool::InChannel(const BufferKey& key) {
  return !ChannelOf(key.second).empty();
}

const ExpectedPool::Buffer& ExpectedPool::BufferOf(const LeaseId& id) const {
  return buffers_.at(leases_.at(id).buffer);
}

bool ExpectedPool::HasLeaseOn(HolderId holder, const BufferKey& key) const {
  const auto buffer = buffers_.find(key);
  if (buffer == buffers_.end()) return false;
  const std::set<LeaseId>& leases = buffer->second.leases;
  return std::any_of(leases.begin(), leases.end(), [&](const LeaseId& id) {
    return leases_.at(id).holder == holder;
  });
}

uint64_t ExpectedPool::LeasedBytes() const {
  uint64_t bytes = 0;
  for (const auto& [key, buffer] : buffers_) bytes += buffer.segment_bytes;
  return bytes;
}

uid_t ExpectedPool::PayerOf(const Lease& lease) const {
  return lease.kind == LeaseKind::kHeld ? holders_.at(lease.holder).uid
                                        : lease.buffer.first;
}

size_t ExpectedPool::LeasesPaidBy(uid_t uid) const {
  return std::count_if(leases_.begin(), leases_.end(), [&](const auto& lease) {
    return PayerOf(lease.second) == uid;
  });
}

bool ExpectedPool::HasHolderOf(uid_t uid) const {
  return std::any_of(holders_.begin(), holders_.end(), [&](const auto& holder) {
    return holder.second.uid == uid;
  });
}

absl::Time ExpectedPool::EndsAt(absl::Duration ttl) const {
  return ttl == absl::ZeroDuration() ? absl::InfiniteFuture()
                                     : clock_.Now() + ttl;
}

void ExpectedPool::Publish(BufferEvents::Kind kind, const BufferKey& key) {
  const Buffer& buffer = buffers_.at(key);
  events_[key].push_back({kind, buffer.generation, buffer.bytes});
}

void ExpectedPool::RemoveHolder(HolderId id) {
  std::vector<LeaseId> held;
  for (const auto& [lease_id, lease] : leases_) {
    if (lease.holder == id) held.push_back(lease_id);
  }
  for (const LeaseId& lease : held) End(lease, EndCause::kHolderDied);
  const uid_t uid = holders_.at(id).uid;
  holders_.erase(id);
  if (HasHolderOf(uid)) return;
  // What is remembered of a uid without a holder goes little by little.
  std::erase_if(ended_, [&](const auto& end) { return end.second.uid == uid; });
}

ExpectedPool::Lease ExpectedPool::Held(HolderId holder, const BufferKey& key,
                                       Access access,
                                       absl::Duration ttl) const {
  return {.holder = holder,
          .buffer = key,
          .access = access,
          .ttl = ttl,
          .expires_at = EndsAt(ttl),
          .touched_at = clock_.Now()};
}

void ExpectedPool::AddBuffer(const BufferKey& key, Buffer buffer,
                             const LeaseId& id, Lease lease) {
  last_generation_ = std::max(last_generation_, buffer.generation);
  buffers_[key] = std::move(buffer);
  Publish(BufferEvents::Kind::kCreated, key);
  AddLease(id, std::move(lease));
}

void ExpectedPool::AddLease(const LeaseId& id, Lease lease) {
  buffers_.at(lease.buffer).leases.insert(id);
  leases_[id] = std::move(lease);
}

void ExpectedPool::Attach(const LeaseId& id, Lease lease) {
  AddLease(id, std::move(lease));
  ++counts_.attached;
}

void ExpectedPool::Assert(const LeaseId& id, Lease lease) {
  AddLease(id, std::move(lease));
  ++counts_.asserted;
}

void ExpectedPool::Renew(const LeaseId& id, absl::Duration ttl) {
  Lease& lease = leases_.at(id);
  lease.ttl = ttl;
  lease.expires_at = EndsAt(ttl);
  lease.touched_at = clock_.Now();
  lease.recovering = false;
}

void ExpectedPool::RecordShown(HolderId holder, const BufferKey& key) {
  for (const LeaseId& id : buffers_.at(key).leases) {
    const Lease& lease = leases_.at(id);
    if (lease.holder == holder && lease.recovering) Renew(id, lease.ttl);
  }
}

void ExpectedPool::Seal(const LeaseId& id, const SealRequest& request) {
  Lease& lease = leases_.at(id);
  lease.access = Access::kReadOnly;
  lease.linger = request.linger;
  Buffer& buffer = buffers_.at(lease.buffer);
  buffer.sealed = true;
  buffer.tampered = false;
  buffer.may_be_half_sealed = false;
  buffer.share_with = request.share_with;
  if (request.bytes > 0) buffer.bytes = request.bytes;
  Publish(BufferEvents::Kind::kSealed, lease.buffer);
  ++counts_.sealed;
}

void ExpectedPool::MakeTicket(const LeaseId& id, const LeaseId& ticket,
                              absl::Duration ttl, uint64_t bytes) {
  const BufferKey key = leases_.at(id).buffer;
  Lease lease = Held(kNoHolder, key, Access::kSharedWritable, ttl);
  lease.kind = LeaseKind::kTicket;
  lease.made_of = id;
  AddLease(ticket, std::move(lease));
  EndOne(id, EndCause::kHandedOver, absl::ZeroDuration());
  if (bytes > 0) buffers_.at(key).bytes = bytes;
  ++counts_.tickets;
}

void ExpectedPool::Claim(const LeaseId& ticket, HolderId holder,
                         const LeaseGrant& grant) {
  const BufferKey key = leases_.at(ticket).buffer;
  AddLease(grant.id, Held(holder, key, Access::kSharedWritable, grant.ttl));
  EndOne(ticket, EndCause::kHandedOver, absl::ZeroDuration());
  Buffer& buffer = buffers_.at(key);
  buffer.generation = grant.generation;
  buffer.path = grant.path;
  buffer.tampered = false;
  buffer.may_be_half_sealed = false;
  last_generation_ = grant.generation;
  ++counts_.claimed;
}

void ExpectedPool::End(const LeaseId& id, EndCause cause, bool for_all) {
  const Lease& lease = leases_.at(id);
  const Buffer& buffer = buffers_.at(lease.buffer);
  if (lease.kind != LeaseKind::kHeld || !InChannel(lease.buffer)) {
    EndOne(id, cause, lease.linger);
    return;
  }
  std::vector<LeaseId> others(buffer.leases.begin(), buffer.leases.end());
  std::erase(others, id);
  if (for_all) {
    for (const LeaseId& other : others) {
      EndOne(other, EndCause::kRevoked, absl::ZeroDuration());
    }
    EndOne(id, cause, absl::ZeroDuration());
    return;
  }
  const bool is_last =
      std::none_of(others.begin(), others.end(), [&](const LeaseId& other) {
        return leases_.at(other).kind == LeaseKind::kHeld;
      });
  EndOne(id, cause, is_last ? kChannelLinger : absl::ZeroDuration());
}

void ExpectedPool::EndOne(const LeaseId& id, EndCause cause,
                          absl::Duration linger) {
  const Lease lease = leases_.at(id);
  cause = CauseOf(cause, lease.kind);
  const uid_t uid = PayerOf(lease);
  leases_.erase(id);
  ++counts_.ended[cause];
  if (HasHolderOf(uid)) ended_[id] = {lease.holder, cause, uid};
  Buffer& buffer = buffers_.at(lease.buffer);
  buffer.leases.erase(id);
  if (lease.kind == LeaseKind::kHeld && cause != EndCause::kReleased &&
      cause != EndCause::kHandedOver) {
    stale_paths_.insert(buffer.path);
  }
  if (lease.kind == LeaseKind::kHeld &&
      (cause == EndCause::kExpired || cause == EndCause::kRevoked)) {
    told_[id] = {lease.holder, lease.buffer.second, cause};
  }
  if (linger > absl::ZeroDuration() && cause != EndCause::kRevoked) {
    buffer.lingering.insert(clock_.Now() + linger);
    ++counts_.lingered;
  }
  if (!buffer.leases.empty() || !buffer.lingering.empty()) return;
  Publish(BufferEvents::Kind::kEnded, lease.buffer);
  buffers_.erase(lease.buffer);
}

void ExpectedPool::EndExpired(absl::Time as_of) {
  if (as_of < expiry_pause_end_) return;
  std::vector<LeaseId> expired;
  for (const auto& [id, lease] : leases_) {
    if (lease.expires_at <= as_of) expired.push_back(id);
  }
  for (const LeaseId& id : expired) End(id, EndCause::kExpired);
}

void ExpectedPool::PostponeExpiry(absl::Time until) {
  expiry_pause_end_ = std::max(expiry_pause_end_, until);
}

absl::Time ExpectedPool::NextExpiry() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [id, lease] : leases_) {
    next = std::min(next, lease.expires_at);
  }
  for (const auto& [key, buffer] : buffers_) {
    if (buffer.lingering.empty()) continue;
    next = std::min(next, *buffer.lingering.begin());
  }
  return std::max(next, expiry_pause_end_);
}

bool ExpectedPool::LearnLingering(const LeaseId& id, const BufferKey& key,
                                  absl::Time expires_at) {
  const auto buffer = buffers_.find(key);
  if (buffer == buffers_.end()) return false;
  std::multiset<absl::Time>& lingering = buffer->second.lingering;
  const auto expected = lingering.find(expires_at);
  if (expected == lingering.end()) return false;
  lingering.erase(expected);
  AddLease(id, {.buffer = key,
                .kind = LeaseKind::kLingering,
                .access = Access::kReadOnly,
                .ttl = expires_at - clock_.Now(),
                .expires_at = expires_at});
  return true;
}

void ExpectedPool::ForgetPast() {
  ended_.clear();
  events_.clear();
  counts_ = Counts();
  expiry_pause_end_ = absl::InfinitePast();
}

}  // namespace warmpool
