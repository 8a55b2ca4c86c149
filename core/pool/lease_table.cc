#include "core/pool/lease_table.h"

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

const char* Told(LeaseKind kind, EndCause cause) {
  if (kind == LeaseKind::kTicket && cause == EndCause::kHandedOver) {
    return "was claimed before: it is good for one claim";
  }
  switch (cause) {
    case EndCause::kUnclaimed:
      return "expired before it was claimed: its maker must make another one, "
             "with a longer time to live if need be";
    case EndCause::kLingered: return "ended: its buffer was kept long enough";
    case EndCause::kReleased: return "was released";
    case EndCause::kExpired: return "expired: renew it within its time to live";
    case EndCause::kRevoked: return "was revoked";
    case EndCause::kHolderDied: return "ended with its holder's process";
    case EndCause::kHandedOver:
      return "was handed over: its ticket is good for one claim";
    case EndCause::kUnused:
      return "ended: nobody used it, and its holder had "
             "no connection";
  }
  return "ended";
}

std::string Describe(const Process& process) {
  return absl::StrCat(
      "pid ", process.pid,
      process.command.empty() ? "" : absl::StrCat(" (", process.command, ")"));
}

std::string DescribeMaker(const LeaseTable::Lease& lease) {
  return lease.maker == nullptr ? "a process" : Describe(*lease.maker);
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
  holders_by_pid_.emplace(holder.pid, id);
  ended_.AddHolder(holder.uid);
  holders_.emplace(id, HolderEntry{std::move(holder), {}});
}

const Holder* LeaseTable::FindHolder(HolderId id) const {
  const auto it = holders_.find(id);
  return it == holders_.end() ? nullptr : &it->second.holder;
}

std::vector<LeaseId> LeaseTable::LeasesOf(HolderId id, size_t most,
                                          const LeasePlace& after) const {
  std::vector<LeaseId> ids;
  const auto holder = holders_.find(id);
  if (holder == holders_.end()) return ids;
  const LeasesByBuffer& leases = holder->second.leases;
  for (auto it = leases.upper_bound({after.uid, after.name, after.id});
       it != leases.end() && ids.size() < most; ++it) {
    ids.push_back(std::get<LeaseId>(*it));
  }
  return ids;
}

bool LeaseTable::HasLeases(HolderId id) const {
  const auto it = holders_.find(id);
  return it != holders_.end() && !it->second.leases.empty();
}

bool LeaseTable::AddUsages(size_t most, HolderId* after,
                           std::vector<HolderUsage>* usages) const {
  auto it = holders_.upper_bound(*after);
  for (size_t i = 0; i < most && it != holders_.end(); ++i, ++it) {
    const auto& [id, entry] = *it;
    *after = id;
    if (entry.leases.empty()) continue;
    usages->push_back({entry.holder, entry.leases.size(), entry.bytes});
  }
  return it != holders_.end();
}

void LeaseTable::RemoveHolder(HolderId id) {
  const auto it = holders_.find(id);
  if (it == holders_.end()) return;
  WARMPOOL_CHECK(it->second.leases.empty(), "a holder leaves its leases");
  holders_by_pid_.erase(std::make_pair(it->second.holder.pid, id));
  ended_.RemoveHolder(it->second.holder.uid);
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
  if (lease != leases_.end()) return lease->second.get();
  return absl::FailedPreconditionError(absl::StrCat(
      "request id ", request_id.ToHex(), " was answered with a lease that ",
      Told(LeaseKind::kHeld, ended_.Find(*it->second)->cause),
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
  const Lease& lease = LeaseOf(*taken.leases.begin());
  std::string by;
  switch (lease.kind) {
    case LeaseKind::kHeld:
      by = absl::StrCat(Describe(holders_.at(lease.holder).holder.process()),
                        " has held it");
      break;
    case LeaseKind::kTicket:
      by = absl::StrCat("a ticket that ", DescribeMaker(lease),
                        " made for it has been out");
      break;
    case LeaseKind::kLingering:
      by =
          absl::StrCat("sealed by ", DescribeMaker(lease), ", it has lingered");
      break;
  }
  return absl::AlreadyExistsError(
      absl::StrCat("buffer name \"", name, "\" is taken: ", by, " for ",
                   absl::FormatDuration(absl::Trunc(now - taken.granted_at,
                                                    absl::Milliseconds(1)))));
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
  HolderEntry& holder = holders_.at(added.holder);
  holder.leases.insert(KeyOf(added));
  holder.bytes += buffer->segment.bytes();
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
    return absl::FailedPreconditionError(
        absl::StrCat(ended->kind == LeaseKind::kTicket ? "ticket " : "lease ",
                     ref.id.ToHex(), " ", Told(ended->kind, ended->cause)));
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
  HolderEntry& holder = holders_.at(lease.holder);
  holder.leases.erase(KeyOf(lease));
  holder.bytes -= buffer.segment.bytes();
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
  // The pool itself holds tickets and lingering leases, of every uid.
  const uid_t uid = lease.kind == LeaseKind::kHeld
                        ? holders_.at(lease.holder).holder.uid
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

const LeaseTable::LeasesByBuffer* LeaseTable::LeasesOfClient(
    const ClientId& client) const {
  const auto it = leases_by_client_.find(client);
  return it == leases_by_client_.end() ? nullptr : &it->second;
}

std::vector<const LeaseTable::LeasesByBuffer*> LeaseTable::LeasesOfPid(
    pid_t pid) const {
  std::vector<const LeasesByBuffer*> leases;
  for (auto it = holders_by_pid_.lower_bound({pid, 0});
       it != holders_by_pid_.end() && it->first == pid; ++it) {
    leases.push_back(&holders_.at(it->second).leases);
  }
  return leases;
}

LeaseTable::LeasePlace LeaseTable::PlaceOf(const LeaseId& id) const {
  const Buffer& buffer = *LeaseOf(id).buffer;
  return {buffer.uid, buffer.name, id};
}

absl::Status LeaseTable::Buffer::MayHaveAnotherLease() const {
  if (leases.size() < kMaxMemberLeases || ChannelOf(name).empty()) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("buffer \"", name, "\" has ", leases.size(),
                   " leases of its channel's members: release some"));
}

}  // namespace warmpool
