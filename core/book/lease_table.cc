#include "core/book/lease_table.h"

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/book/lease_messages.h"

namespace warmpool {

LeaseTable::LeaseTable() = default;

LeaseTable::~LeaseTable() {
  WARMPOOL_CHECK(leases_.empty(), "LeaseTable destroyed with live leases");
}

void LeaseTable::AddHolder(Holder holder) {
  const uid_t uid = holder.uid;
  if (holders_.Add(std::move(holder))) ended_.AddHolder(uid);
}

void LeaseTable::RemoveHolder(HolderId id) {
  const Holder* const holder = holders_.Find(id);
  if (holder == nullptr) return;
  const uid_t uid = holder->uid;
  holders_.Remove(id);
  ended_.RemoveHolder(uid);
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
  if (lease != leases_.end()) return lease->second.get();
  return absl::FailedPreconditionError(absl::StrCat(
      "request id ", request_id.ToHex(), " was answered with a lease that ",
      DescribeEnd(LeaseKind::kHeld, ended_.Find(*it->second)->cause),
      "; a further request needs an id of its own"));
}

void LeaseTable::Abandon(HolderId holder, const RequestId& request_id) {
  requests_.erase(RequestKey(holder, request_id));
}

absl::Status LeaseTable::ReserveName(uid_t uid, const std::string& name,
                                     absl::Time now) {
  const auto [it, is_new] =
      buffers_.try_emplace(std::make_pair(uid, name), nullptr);
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
  const Lease& first = LeaseOf(*taken.leases.begin());
  return NameTaken(taken, first, *holders_.Find(first.holder), now);
}

void LeaseTable::AbandonName(uid_t uid, const std::string& name) {
  buffers_.erase(std::make_pair(uid, name));
}

LeaseTable::Buffer* LeaseTable::FindBuffer(uid_t uid,
                                           const std::string& name) const {
  const auto it = buffers_.find(std::make_pair(uid, name));
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
  buffers_.erase(std::make_pair(buffer->uid, buffer->name));
  return segment;
}

const LeaseTable::Lease& LeaseTable::AddBuffer(Buffer buffer, Lease lease) {
  const auto it = buffers_.find(std::make_pair(buffer.uid, buffer.name));
  WARMPOOL_CHECK(it != buffers_.end() && it->second == nullptr,
                 "a buffer's name was not reserved");
  it->second = std::make_unique<Buffer>(std::move(buffer));
  ++buffer_count_;
  return AddLease(it->second.get(), std::move(lease));
}

const LeaseTable::Lease& LeaseTable::AddLease(Buffer* buffer, Lease lease) {
  lease.buffer = buffer;
  const LeaseId id = lease.id;
  const auto [it, is_new] =
      leases_.emplace(id, std::make_unique<Lease>(std::move(lease)));
  WARMPOOL_CHECK(is_new, "a lease id was given twice");
  const Lease& added = *it->second;
  buffer->leases.insert(id);
  if (added.kind == LeaseKind::kHeld) ++buffer->held_leases;
  if (UnheldCount* const unheld = UnheldOf(added)) {
    ++unheld->leases;
    unheld->bytes += buffer->segment.bytes();
  }
  holders_.AddLease(added);
  if (added.client_id != ClientId()) {
    leases_by_client_[added.client_id].insert(KeyOf(added));
  }
  requests_[RequestKey(added.holder, added.request_id)] = id;
  if (added.state == LeaseState::kRecovering) {
    recovering_.insert(RecoveringKeyOf(added));
  }
  if (added.expires_at != absl::InfiniteFuture()) {
    expiries_.emplace(added.expires_at, id);
  }
  return added;
}

absl::StatusOr<const LeaseTable::Lease*> LeaseTable::Find(HolderId holder,
                                                          const LeaseRef& ref,
                                                          bool as_admin) const {
  const auto lease = leases_.find(ref.id);
  const RememberedEnds::End* const ended = ended_.Find(ref.id);
  if (lease == leases_.end() && ended == nullptr) {
    return absl::NotFoundError(absl::StrCat("lease ", ref.id.ToHex(),
                                            " is not known: it was never "
                                            "granted here, or ended long ago"));
  }
  const HolderId owner =
      lease != leases_.end() ? lease->second->holder : ended->holder;
  if (owner != holder && !as_admin) {
    return absl::PermissionDeniedError(
        absl::StrCat("lease ", ref.id.ToHex(), " belongs to another holder"));
  }
  if (lease == leases_.end()) {
    if (ended->cause == EndCause::kReleased) return nullptr;
    return absl::FailedPreconditionError(absl::StrCat(
        ended->kind == LeaseKind::kTicket ? "ticket " : "lease ",
        ref.id.ToHex(), " ", DescribeEnd(ended->kind, ended->cause)));
  }
  const uint64_t generation = lease->second->buffer->generation;
  if (ref.generation != 0 && ref.generation != generation) {
    return absl::FailedPreconditionError(absl::StrCat(
        "lease ", ref.id.ToHex(), " is of generation ", generation, ", not ",
        ref.generation, ": its buffer was granted again since"));
  }
  return lease->second.get();
}

void LeaseTable::Renew(const LeaseId& id, absl::Duration ttl, absl::Time now) {
  Lease& lease = *leases_.at(id);
  expiries_.erase(std::make_pair(lease.expires_at, id));
  if (lease.state == LeaseState::kRecovering) {
    recovering_.erase(RecoveringKeyOf(lease));
  }
  lease.state = LeaseState::kLive;
  lease.ttl = ttl;
  lease.touched_at = now;
  lease.expires_at =
      ttl == absl::ZeroDuration() ? absl::InfiniteFuture() : now + ttl;
  if (lease.expires_at != absl::InfiniteFuture()) {
    expiries_.emplace(lease.expires_at, id);
  }
}

void LeaseTable::RecordShown(const Buffer& buffer, HolderId holder,
                             const ClientId& client, absl::Time now) {
  std::vector<LeaseId> shown;
  for (auto it = recovering_.lower_bound({&buffer, holder, client, LeaseId()});
       it != recovering_.end() && shown.size() < kShownAtOnce &&
       std::tie(std::get<0>(*it), std::get<1>(*it), std::get<2>(*it)) ==
           std::make_tuple(&buffer, holder, client);
       ++it) {
    shown.push_back(std::get<3>(*it));
  }
  for (const LeaseId& id : shown) Renew(id, LeaseOf(id).ttl, now);
}

void LeaseTable::Seal(const LeaseId& id, const SealRequest& request) {
  Lease& lease = *leases_.at(id);
  lease.access = Access::kReadOnly;
  lease.linger = request.linger;
  lease.buffer->sealed = true;
  lease.buffer->share_with = request.share_with;
}

LeaseTable::Ended LeaseTable::End(const LeaseId& id, EndCause cause) {
  const auto it = leases_.find(id);
  WARMPOOL_CHECK(it != leases_.end(), "a lease ends twice");
  const Lease& lease = *it->second;
  Buffer& buffer = *lease.buffer;
  Ended ended{{lease.holder, id, buffer.name, cause}, &buffer};

  RememberEnd(lease, cause);
  if (lease.state == LeaseState::kRecovering) {
    recovering_.erase(RecoveringKeyOf(lease));
  }
  expiries_.erase(std::make_pair(lease.expires_at, id));
  holders_.RemoveLease(lease);
  if (const auto of_client = leases_by_client_.find(lease.client_id);
      of_client != leases_by_client_.end()) {
    of_client->second.erase(KeyOf(lease));
    if (of_client->second.empty()) leases_by_client_.erase(of_client);
  }
  buffer.leases.erase(id);
  if (lease.kind == LeaseKind::kHeld) --buffer.held_leases;
  if (UnheldCount* const unheld = UnheldOf(lease)) {
    --unheld->leases;
    unheld->bytes -= buffer.segment.bytes();
  }
  leases_.erase(it);
  Pin(&buffer);
  return ended;
}

UnheldCount* LeaseTable::UnheldOf(const Lease& lease) {
  switch (lease.kind) {
    case LeaseKind::kTicket: return &tickets_;
    case LeaseKind::kLingering: return &lingering_;
    case LeaseKind::kHeld: break;
  }
  return nullptr;
}

void LeaseTable::RememberEnd(const Lease& lease, EndCause cause) {
  // The pool itself holds the tickets and lingering leases of all uids.
  const uid_t uid = lease.kind == LeaseKind::kHeld
                        ? holders_.Find(lease.holder)->uid
                        : lease.buffer->uid;
  ended_.Remember(
      uid, lease.id, {lease.holder, lease.request_id, lease.kind, cause},
      [this](const RememberedEnds::End& forgotten) {
        requests_.erase(RequestKey(forgotten.holder, forgotten.request_id));
      });
}

std::vector<LeaseId> LeaseTable::Expired(absl::Time now, size_t limit) const {
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

std::vector<LeaseId> LeaseTable::Leases(
    size_t most, const std::optional<LeaseId>& after) const {
  std::vector<LeaseId> ids;
  for (auto it = after.has_value() ? leases_.upper_bound(*after)
                                   : leases_.begin();
       it != leases_.end() && ids.size() < most; ++it) {
    ids.push_back(it->first);
  }
  return ids;
}

const LeasesByBuffer* LeaseTable::LeasesOfClient(const ClientId& client) const {
  const auto it = leases_by_client_.find(client);
  return it == leases_by_client_.end() ? nullptr : &it->second;
}

LeasePlace LeaseTable::PlaceOf(const LeaseId& id) const {
  const Buffer& buffer = *LeaseOf(id).buffer;
  return {buffer.uid, buffer.name, id};
}

void LeaseTable::CheckInvariants() const {
  holders_.CheckInvariants(leases_.size(), [this](const LeaseId& id) {
    return LeaseOf(id).buffer->segment.bytes();
  });
  CheckLeases();
  CheckBuffers();
  ended_.CheckInvariants();
}

void LeaseTable::CheckLeases() const {
  size_t expiring = 0;
  size_t recovering = 0;
  size_t of_clients = 0;
  for (const auto& [id, entry] : leases_) {
    const Lease& lease = *entry;
    holders_.CheckLease(lease);
    WARMPOOL_CHECK(lease.buffer->leases.contains(id),
                   "a lease that its buffer does not know");
    WARMPOOL_CHECK(
        requests_.at(RequestKey(lease.holder, lease.request_id)) == id,
        "a lease that its request does not know");
    if (lease.client_id != ClientId()) {
      ++of_clients;
      WARMPOOL_CHECK(
          leases_by_client_.at(lease.client_id).contains(KeyOf(lease)),
          "a lease that its client does not lead to");
    }
    if (lease.state == LeaseState::kRecovering) {
      ++recovering;
      WARMPOOL_CHECK(recovering_.contains(RecoveringKeyOf(lease)),
                     "a recovering lease that would not be shown");
    }
    if (lease.expires_at == absl::InfiniteFuture()) continue;
    ++expiring;
    WARMPOOL_CHECK(expiries_.contains(std::make_pair(lease.expires_at, id)),
                   "a lease that would not expire");
  }
  WARMPOOL_CHECK(expiring == expiries_.size(), "expiry of no lease");
  WARMPOOL_CHECK(recovering == recovering_.size(),
                 "recovering leases do not add up");
  for (const auto& [client, leases] : leases_by_client_) {
    WARMPOOL_CHECK(!leases.empty(), "a client that has nothing is kept");
    of_clients -= leases.size();
  }
  WARMPOOL_CHECK(of_clients == 0, "clients and leases disagree");
}

void LeaseTable::CheckBuffers() const {
  size_t buffers = 0;
  size_t leases = 0;
  UnheldCount tickets, lingering;
  for (const auto& [key, buffer] : buffers_) {
    if (buffer == nullptr) continue;
    ++buffers;
    leases += buffer->leases.size();
    WARMPOOL_CHECK(!buffer->leases.empty() || buffer->pins > 0,
                   "a buffer without a lease");
    size_t held = 0;
    for (const LeaseId& id : buffer->leases) {
      const Lease& lease = LeaseOf(id);
      if (lease.kind == LeaseKind::kHeld) ++held;
      for (const auto& [kind, count] :
           {std::pair(LeaseKind::kTicket, &tickets),
            std::pair(LeaseKind::kLingering, &lingering)}) {
        if (lease.kind != kind) continue;
        ++count->leases;
        count->bytes += buffer->segment.bytes();
      }
      WARMPOOL_CHECK(!buffer->sealed || lease.access == Access::kReadOnly,
                     "a lease to write to a sealed buffer");
      WARMPOOL_CHECK(
          lease.kind != LeaseKind::kTicket || buffer->leases.size() == 1,
          "a buffer is held while a ticket for it is out");
    }
    WARMPOOL_CHECK(held == buffer->held_leases,
                   "a buffer's leases do not add up");
    WARMPOOL_CHECK(key == std::make_pair(buffer->uid, buffer->name),
                   "a buffer under another name");
  }
  WARMPOOL_CHECK(buffers == buffer_count_, "buffers do not add up");
  WARMPOOL_CHECK(leases == leases_.size(), "buffers and leases disagree");
  WARMPOOL_CHECK(tickets == tickets_ && lingering == lingering_,
                 "leases that no process has do not add up");
}

}  // namespace warmpool
