#include "core/pool/lease_table.h"

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

const char* Told(EndCause cause) {
  switch (cause) {
    case EndCause::kReleased: return "was released";
    case EndCause::kExpired: return "expired: renew it within its time to live";
    case EndCause::kRevoked: return "was revoked";
    case EndCause::kHolderDied: return "ended with its holder's process";
    case EndCause::kHandedOver:
      return "was handed over: its ticket is good for one claim";
    case EndCause::kUnused: return "ended: nobody used it, and its holder had "
                                   "no connection";
  }
  return "ended";
}

std::string Told(LeaseKind kind, const Holder& holder) {
  switch (kind) {
    case LeaseKind::kTicket: return "a ticket for it has been out";
    case LeaseKind::kLingering: return "sealed, it has lingered";
    case LeaseKind::kHeld: break;
  }
  return absl::StrCat(
      "pid ", holder.pid,
      holder.command.empty() ? "" : absl::StrCat(" (", holder.command, ")"),
      " has held it");
}

}  // namespace

LeaseTable::LeaseTable() = default;

LeaseTable::~LeaseTable() {
  WARMPOOL_CHECK(leases_.empty(), "LeaseTable destroyed with live leases");
}

void LeaseTable::AddHolder(Holder holder) {
  const auto known = holders_.find(holder.id);
  if (known != holders_.end()) {
    known->second.holder.gids = std::move(holder.gids);
    return;
  }
  const HolderId id = holder.id;
  holders_.emplace(id, HolderEntry{std::move(holder), {}});
}

const Holder* LeaseTable::FindHolder(HolderId id) const {
  const auto it = holders_.find(id);
  return it == holders_.end() ? nullptr : &it->second.holder;
}

std::vector<LeaseId> LeaseTable::LeasesOf(HolderId id) const {
  const auto it = holders_.find(id);
  if (it == holders_.end()) return {};
  return {it->second.leases.begin(), it->second.leases.end()};
}

bool LeaseTable::HasLeases(HolderId id) const {
  const auto it = holders_.find(id);
  return it != holders_.end() && !it->second.leases.empty();
}

std::vector<HolderUsage> LeaseTable::Usages() const {
  std::vector<HolderUsage> usages;
  for (const auto& [id, entry] : holders_) {
    if (entry.leases.empty()) continue;
    usages.push_back({entry.holder, entry.leases.size(), entry.bytes});
  }
  return usages;
}

void LeaseTable::RemoveHolder(HolderId id) {
  const auto it = holders_.find(id);
  if (it == holders_.end()) return;
  WARMPOOL_CHECK(it->second.leases.empty(), "a holder leaves its leases");
  holders_.erase(it);
}

absl::StatusOr<const LeaseTable::Lease*> LeaseTable::Begin(
    HolderId holder, const RequestId& request_id) {
  const auto [it, is_new] =
      requests_.try_emplace(RequestKey(holder, request_id), std::nullopt);
  if (is_new) return nullptr;
  if (!it->second.has_value()) {
    return absl::AbortedError(
        absl::StrCat("request id ", request_id.ToHex(),
                     " is under way: wait for its answer, then repeat it"));
  }
  const auto lease = leases_.find(*it->second);
  if (lease != leases_.end()) return &lease->second;
  return absl::FailedPreconditionError(absl::StrCat(
      "request id ", request_id.ToHex(), " was answered with a lease that ",
      Told(ended_.at(*it->second).cause), "; a further request needs an id of its own"));
}

void LeaseTable::Abandon(HolderId holder, const RequestId& request_id) {
  requests_.erase(RequestKey(holder, request_id));
}

absl::Status LeaseTable::ReserveName(uid_t uid, const std::string& name,
                                     absl::Time now) {
  const auto [it, is_new] =
      buffers_.try_emplace(std::make_pair(name, uid), nullptr);
  if (is_new) return absl::OkStatus();
  if (it->second == nullptr) {
    return absl::AlreadyExistsError(absl::StrCat(
        "buffer name \"", name, "\" is being leased by another request"));
  }
  const Buffer& taken = *it->second;
  if (taken.leases.empty()) {
    return absl::AlreadyExistsError(absl::StrCat(
        "buffer name \"", name, "\" is being released at this moment"));
  }
  const Lease& lease = leases_.at(*taken.leases.begin());
  return absl::AlreadyExistsError(absl::StrCat(
      "buffer name \"", name, "\" is taken: ",
      Told(lease.kind, holders_.at(lease.holder).holder), " for ",
      absl::FormatDuration(absl::Trunc(now - taken.granted_at,
                                       absl::Milliseconds(1)))));
}

void LeaseTable::AbandonName(uid_t uid, const std::string& name) {
  buffers_.erase(std::make_pair(name, uid));
}

LeaseTable::Buffer* LeaseTable::FindBuffer(uid_t uid, const std::string& name) {
  const auto it = buffers_.find(std::make_pair(name, uid));
  if (it == buffers_.end() || it->second == nullptr) return nullptr;
  return it->second->leases.empty() ? nullptr : it->second.get();
}

std::optional<Segment> LeaseTable::Unpin(Buffer* buffer) {
  WARMPOOL_CHECK(buffer->pins > 0, "a buffer is unpinned twice");
  const bool goes = GoesWhenUnpinned(*buffer);
  --buffer->pins;
  if (!goes) return std::nullopt;
  std::optional<Segment> segment = std::move(buffer->segment);
  --buffer_count_;
  buffers_.erase(std::make_pair(buffer->name, buffer->uid));
  return segment;
}

const LeaseTable::Lease& LeaseTable::AddBuffer(Buffer buffer, Lease lease) {
  const auto it = buffers_.find(std::make_pair(buffer.name, buffer.uid));
  WARMPOOL_CHECK(it != buffers_.end() && it->second == nullptr,
                 "a buffer's name was not reserved");
  it->second = std::make_unique<Buffer>(std::move(buffer));
  ++buffer_count_;
  return AddLease(it->second.get(), std::move(lease));
}

const LeaseTable::Lease& LeaseTable::AddLease(Buffer* buffer, Lease lease) {
  lease.buffer = buffer;
  const auto [it, is_new] = leases_.emplace(lease.id, lease);
  WARMPOOL_CHECK(is_new, "a lease id was given twice");
  buffer->leases.insert(lease.id);
  HolderEntry& holder = holders_.at(lease.holder);
  holder.leases.insert(lease.id);
  holder.bytes += buffer->segment.bytes();
  requests_[RequestKey(lease.holder, lease.request_id)] = lease.id;
  if (lease.state == LeaseState::kRecovering) ++recovering_count_;
  if (lease.expires_at != absl::InfiniteFuture()) {
    expiries_.emplace(lease.expires_at, lease.id);
  }
  return it->second;
}

absl::StatusOr<const LeaseTable::Lease*> LeaseTable::Find(
    HolderId holder, const LeaseRef& ref, bool as_admin) const {
  const auto lease = leases_.find(ref.id);
  const auto ended = ended_.find(ref.id);
  if (lease == leases_.end() && ended == ended_.end()) {
    return absl::NotFoundError(
        absl::StrCat("lease ", ref.id.ToHex(), " is not known"));
  }
  const HolderId owner = lease != leases_.end() ? lease->second.holder
                                                : ended->second.holder;
  if (owner != holder && !as_admin) {
    return absl::PermissionDeniedError(
        absl::StrCat("lease ", ref.id.ToHex(), " belongs to another holder"));
  }
  if (lease == leases_.end()) {
    if (ended->second.cause == EndCause::kReleased) return nullptr;
    return absl::FailedPreconditionError(absl::StrCat(
        "lease ", ref.id.ToHex(), " ", Told(ended->second.cause)));
  }
  const uint64_t generation = lease->second.buffer->generation;
  if (ref.generation != 0 && ref.generation != generation) {
    return absl::FailedPreconditionError(
        absl::StrCat("lease ", ref.id.ToHex(), " is of generation ", generation,
                     ", not ", ref.generation));
  }
  return &lease->second;
}

void LeaseTable::Renew(const LeaseId& id, absl::Duration ttl, absl::Time now) {
  Lease& lease = leases_.at(id);
  expiries_.erase(std::make_pair(lease.expires_at, id));
  if (lease.state == LeaseState::kRecovering) --recovering_count_;
  lease.state = LeaseState::kLive;
  lease.ttl = ttl;
  lease.touched_at = now;
  lease.expires_at =
      ttl == absl::ZeroDuration() ? absl::InfiniteFuture() : now + ttl;
  if (lease.expires_at != absl::InfiniteFuture()) {
    expiries_.emplace(lease.expires_at, id);
  }
}

void LeaseTable::NoteShown(const Buffer& buffer, HolderId holder,
                           const ClientId& client, absl::Time now) {
  if (recovering_count_ == 0) return;
  for (const LeaseId& id : buffer.leases) {
    const Lease& lease = leases_.at(id);
    if (lease.state != LeaseState::kRecovering || lease.holder != holder ||
        lease.client_id != client) {
      continue;
    }
    Renew(id, lease.ttl, now);
  }
}

void LeaseTable::Seal(const LeaseId& id, const SealRequest& request) {
  Lease& lease = leases_.at(id);
  lease.access = Access::kReadOnly;
  lease.linger = request.linger;
  lease.buffer->sealed = true;
  lease.buffer->share_with = request.share_with;
}

LeaseTable::Ended LeaseTable::End(const LeaseId& id, EndCause cause) {
  const auto it = leases_.find(id);
  WARMPOOL_CHECK(it != leases_.end(), "a lease ends twice");
  const Lease lease = it->second;
  Buffer& buffer = *lease.buffer;
  Ended ended{{lease.holder, id, buffer.name, cause}, &buffer};

  RememberEnd(lease, cause);
  if (lease.state == LeaseState::kRecovering) --recovering_count_;
  expiries_.erase(std::make_pair(lease.expires_at, id));
  HolderEntry& holder = holders_.at(lease.holder);
  holder.leases.erase(id);
  holder.bytes -= buffer.segment.bytes();
  buffer.leases.erase(id);
  leases_.erase(it);
  Pin(&buffer);
  return ended;
}

void LeaseTable::RememberEnd(const Lease& lease, EndCause cause) {
  ended_.emplace(lease.id, EndedEntry{lease.holder, lease.request_id, cause});
  ended_order_.push_back(lease.id);
  if (ended_order_.size() <= kRememberedEnds) return;
  const auto oldest = ended_.find(ended_order_.front());
  requests_.erase(RequestKey(oldest->second.holder, oldest->second.request_id));
  ended_.erase(oldest);
  ended_order_.pop_front();
}

std::vector<LeaseId> LeaseTable::Expired(absl::Time now,
                                         size_t limit) const {
  std::vector<LeaseId> expired;
  for (const auto& [expires_at, id] : expiries_) {
    if (expires_at > now || expired.size() == limit) break;
    expired.push_back(id);
  }
  return expired;
}

absl::Time LeaseTable::NextExpiry() const {
  return expiries_.empty() ? absl::InfiniteFuture() : expiries_.begin()->first;
}

std::vector<LeaseId> LeaseTable::AllLeases() const {
  std::vector<LeaseId> ids;
  ids.reserve(leases_.size());
  for (const auto& [id, lease] : leases_) ids.push_back(id);
  return ids;
}

absl::Status LeaseTable::Buffer::MayHaveAnotherLease() const {
  if (leases.size() < kMaxMemberLeases || ChannelOf(name).empty()) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("buffer \"", name, "\" has ", leases.size(),
                   " leases of its channel's members: release some"));
}

void LeaseTable::CheckInvariants() const {
  size_t held = 0;
  for (const auto& [id, entry] : holders_) {
    held += entry.leases.size();
    uint64_t bytes = 0;
    for (const LeaseId& lease : entry.leases) {
      bytes += leases_.at(lease).buffer->segment.bytes();
    }
    WARMPOOL_CHECK(bytes == entry.bytes, "a holder's bytes do not add up");
  }
  WARMPOOL_CHECK(held == leases_.size(), "holders and leases disagree");
  size_t expiring = 0;
  size_t recovering = 0;
  for (const auto& [id, lease] : leases_) {
    WARMPOOL_CHECK(holders_.at(lease.holder).leases.contains(id),
                   "a lease that its holder does not know");
    WARMPOOL_CHECK(lease.buffer->leases.contains(id),
                   "a lease that its buffer does not know");
    WARMPOOL_CHECK(
        requests_.at(RequestKey(lease.holder, lease.request_id)) == id,
        "a lease that its request does not know");
    if (lease.state == LeaseState::kRecovering) ++recovering;
    if (lease.expires_at == absl::InfiniteFuture()) continue;
    ++expiring;
    WARMPOOL_CHECK(expiries_.contains(std::make_pair(lease.expires_at, id)),
                   "a lease that would not expire");
  }
  WARMPOOL_CHECK(expiring == expiries_.size(), "expiry of no lease");
  WARMPOOL_CHECK(recovering == recovering_count_,
                 "recovering leases do not add up");
  size_t buffers = 0;
  size_t leases = 0;
  for (const auto& [key, buffer] : buffers_) {
    if (buffer == nullptr) continue;
    ++buffers;
    leases += buffer->leases.size();
    WARMPOOL_CHECK(!buffer->leases.empty() || buffer->pins > 0,
                   "a buffer without a lease");
    for (const LeaseId& id : buffer->leases) {
      const Lease& lease = leases_.at(id);
      WARMPOOL_CHECK(!buffer->sealed || lease.access == Access::kReadOnly,
                     "a lease to write to a sealed buffer");
      WARMPOOL_CHECK(
          lease.kind != LeaseKind::kTicket || buffer->leases.size() == 1,
          "a buffer is held while a ticket for it is out");
    }
    WARMPOOL_CHECK(key == std::make_pair(buffer->name, buffer->uid),
                   "a buffer under another name");
  }
  WARMPOOL_CHECK(buffers == buffer_count_, "buffers do not add up");
  WARMPOOL_CHECK(leases == leases_.size(), "buffers and leases disagree");
  WARMPOOL_CHECK(ended_.size() == ended_order_.size(), "ends do not add up");
}

}  // namespace warmpool
