#include "server/clients/holder_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/clients/peer_format.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// What an epoll tag stands for: its lowest bit tells connections from
// processes. Ids and serials begin with 1, so no tag is 0.
uint64_t ConnectionTag(ConnectionTable::Serial serial) {
  return serial << 1 | 1;
}
uint64_t ProcessTag(HolderId id) { return id << 1; }

}  // namespace

absl::StatusOr<std::unique_ptr<HolderRegistry>> HolderRegistry::Create(
    PeerSource* peers, const Clock* clock, Options options) {
  ASSIGN_OR_RETURN(EpollSet watched, EpollSet::Create());
  std::unique_ptr<HolderRegistry> registry(
      new HolderRegistry(peers, clock, std::move(options), std::move(watched)));
  const absl::Status started = registry->watcher_.Start(
      "wpd-holders", [raw = registry.get()] { raw->WatchMain(); });
  if (!started.ok()) return started;
  return registry;
}

HolderRegistry::HolderRegistry(PeerSource* peers, const Clock* clock,
                               Options options, EpollSet watched)
    : peers_(*peers),
      clock_(*clock),
      options_(std::move(options)),
      watched_(std::move(watched)),
      connections_(options_.max_connections_per_uid) {}

HolderRegistry::~HolderRegistry() {
  stopping_ = true;
  watched_.Wake();
  watcher_.Join();
}

absl::Status HolderRegistry::Admit(int connection_fd) {
  // Who is not served costs no descriptor and no look into /proc.
  ASSIGN_OR_RETURN(const Credentials credentials,
                   peers_.CredentialsOf(connection_fd));
  RETURN_IF_ERROR(options_.admission.Check(credentials));
  const uid_t uid = credentials.uid;
  ASSIGN_OR_RETURN(Peer peer, peers_.PeerOf(connection_fd));
  UniqueFd watch(fcntl(connection_fd, F_DUPFD_CLOEXEC, 0));
  if (!watch.valid()) {
    return absl::ErrnoToStatus(errno, "can't watch a connection");
  }
  const int watch_number = watch.get();

  MutexLock lock(&mutex_);
  connections_.ForgetClosed();
  if (const auto former = connections_.OpenAt(connection_fd)) {
    EndConnectionLocked(*former);
  }
  RETURN_IF_ERROR(connections_.CheckRoom(uid));
  ASSIGN_OR_RETURN(const HolderId holder, HolderOfLocked(std::move(peer)));
  const ConnectionTable::Serial serial =
      connections_.Add(connection_fd, holder, uid, std::move(watch));
  Process& process = processes_.at(holder);
  ++process.connections;
  SetGraceLocked(&process, absl::InfiniteFuture());
  // Tells at once where the connection is over already.
  const absl::Status watched =
      watched_.Add(watch_number, EPOLLRDHUP, ConnectionTag(serial));
  if (!watched.ok()) EndConnectionLocked(serial);
  return watched;
}

absl::StatusOr<HolderId> HolderRegistry::HolderOfLocked(Peer peer) {
  const ProcessKey key(peer.pid, peer.instance, peer.credentials.uid);
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) {
    // Of a process that was found by its pid, its connection tells the groups.
    Process& process = processes_.at(known->second);
    if (!process.pidfd.valid() && peer.pidfd.valid()) {
      // If not now, then with the next.
      WatchLocked(&process, std::move(peer.pidfd)).IgnoreError();
    }
    Holder& holder = process.holder;
    const std::vector<gid_t>& gids = peer.credentials.gids;
    if (!gids.empty() && gids != holder.gids) {
      holder.gids = gids;
      if (options_.on_added) options_.on_added(holder);
    }
    return known->second;
  }

  Process process;
  process.holder.id = ++last_id_;
  process.holder.pid = peer.pid;
  process.holder.uid = peer.credentials.uid;
  process.holder.gids = peer.credentials.gids;
  process.holder.command = std::move(peer.command);
  process.holder.admin = options_.admission.IsAdmin(process.holder.uid);
  process.holder.instance = peer.instance;
  const HolderId id = process.holder.id;
  if (peer.pidfd.valid()) {
    RETURN_IF_ERROR(WatchLocked(&process, std::move(peer.pidfd)));
  }
  if (options_.on_added) options_.on_added(process.holder);
  if (peer.instance != 0) by_key_.emplace(key, id);
  processes_.emplace(id, std::move(process));
  return id;
}

absl::Status HolderRegistry::WatchLocked(Process* process, UniqueFd pidfd) {
  const HolderId id = process->holder.id;
  absl::Status watched = watched_.Add(pidfd.get(), EPOLLIN, ProcessTag(id));
  if (!watched.ok()) return watched;
  process->pidfd = std::move(pidfd);
  unwatched_.erase(id);
  return watched;
}

void HolderRegistry::CutConnections() {
  MutexLock lock(&mutex_);
  connections_.ShutDownAll();
}

absl::StatusOr<Caller> HolderRegistry::Resolve(absl::string_view peer) const {
  if (const std::optional<int> fd = DescriptorIn(peer)) {
    MutexLock lock(&mutex_);
    const std::optional<HolderId> holder = connections_.Find(*fd);
    const auto process =
        holder.has_value() ? processes_.find(*holder) : processes_.end();
    if (process != processes_.end()) {
      return Caller{*holder, process->second.holder.uid};
    }
  }
  return absl::UnauthenticatedError(
      absl::StrCat("no process is known behind connection \"", peer, "\""));
}

absl::StatusOr<HolderId> HolderRegistry::Recover(pid_t pid, uid_t uid,
                                                 uint64_t instance,
                                                 const std::string& command) {
  if (pid <= 0 || instance == 0) {
    return absl::NotFoundError(
        absl::StrCat("pid ", pid, " of instance ", instance,
                     " can't be told from other processes"));
  }
  Peer expected;
  expected.pid = pid;
  expected.credentials.uid = uid;
  expected.instance = instance;
  expected.command = command;
  absl::StatusOr<Peer> peer = peers_.ProcessOf(pid);
  if (!peer.ok() && !PeerSource::IsUntold(peer.status())) {
    return peer.status();
  }
  if (peer.ok() && peer->instance != instance) {
    return absl::NotFoundError(
        absl::StrCat("pid ", pid, " is another process by now: instance ",
                     peer->instance, ", not ", instance));
  }
  HolderId holder = 0;
  {
    MutexLock lock(&mutex_);
    holder = RecoverLocked(std::move(peer), std::move(expected));
  }
  // For the sake of a time that comes before any other.
  watched_.Wake();
  return holder;
}

HolderId HolderRegistry::RecoverLocked(absl::StatusOr<Peer> peer,
                                       Peer expected) {
  UniqueFd pidfd;
  bool lacking = !peer.ok();
  if (peer.ok() && peer->pidfd.valid()) {
    lacking = peer->pidfd.get() >= options_.recovered_end;
    if (!lacking) pidfd = std::move(peer->pidfd);
  }
  // Without a pidfd nothing fails.
  const HolderId id = *HolderOfLocked(std::move(expected));
  Process& process = processes_.at(id);
  if (!process.pidfd.valid() && pidfd.valid()) {
    lacking = !WatchLocked(&process, std::move(pidfd)).ok();
  }
  if (!process.pidfd.valid() && lacking) {
    if (unwatched_.empty()) retry_at_ = clock_.Now() + options_.retry_pause;
    unwatched_.insert(id);
  }
  if (process.connections == 0) {
    SetGraceLocked(&process, clock_.Now() + options_.grace);
  }
  return id;
}

void HolderRegistry::SetGraceLocked(Process* process, absl::Time ends_at) {
  graces_.erase({process->ends_at, process->holder.id});
  process->ends_at = ends_at;
  if (ends_at != absl::InfiniteFuture()) {
    graces_.emplace(ends_at, process->holder.id);
  }
}

void HolderRegistry::EndConnectionLocked(ConnectionTable::Serial serial) {
  const std::optional<ConnectionTable::Ended> ended = connections_.End(serial);
  connections_.ForgetClosed();
  if (!ended.has_value()) return;
  // Closing would not do: gRPC has another descriptor of it.
  watched_.Remove(ended->watch.get());
  const auto it = processes_.find(ended->holder);
  if (it == processes_.end()) return;
  Process& process = it->second;
  if (--process.connections == 0) {
    SetGraceLocked(&process, clock_.Now() + options_.grace);
  }
}

void HolderRegistry::Forget(HolderId id) {
  EndHolder(id, Suspicion::kUnneeded);
}

void HolderRegistry::EndHolder(HolderId id, Suspicion suspicion) {
  Holder gone;
  {
    MutexLock lock(&mutex_);
    const auto it = processes_.find(id);
    if (it == processes_.end()) return;
    Process& process = it->second;
    const bool ended = process.pidfd.valid() ? HasEnded(process.pidfd)
                                             : suspicion == Suspicion::kGone;
    const bool overdue =
        EndsWithConnections(process) && process.ends_at <= clock_.Now();
    // With each connection a grace begins anew.
    const bool forgotten = suspicion == Suspicion::kUnneeded &&
                           process.connections == 0 &&
                           process.ends_at == absl::InfiniteFuture();
    if (!ended && !overdue && !forgotten) return;
    spdlog::debug("holder gone holder={} pid={} uid={}", id, process.holder.pid,
                  process.holder.uid);
    SetGraceLocked(&process, absl::InfiniteFuture());
    by_key_.erase(ProcessKey(process.holder.pid, process.holder.instance,
                             process.holder.uid));
    unwatched_.erase(id);
    gone = std::move(process.holder);
    // Closing the pidfd also takes it out of the epoll set.
    processes_.erase(it);
  }
  if (options_.on_gone) options_.on_gone(gone);
}

void HolderRegistry::EndOverdue() {
  for (;;) {
    Holder holder;
    bool ends = false;
    absl::Time since;
    {
      MutexLock lock(&mutex_);
      if (graces_.empty() || graces_.begin()->first > clock_.Now()) return;
      since = graces_.begin()->first - options_.grace;
      Process& process = processes_.at(graces_.begin()->second);
      holder = process.holder;
      ends = EndsWithConnections(process);
      if (!ends) SetGraceLocked(&process, absl::InfiniteFuture());
    }
    if (ends) {
      EndHolder(holder.id);
    } else if (options_.on_unconnected) {
      options_.on_unconnected(holder, since);
    }
  }
}

void HolderRegistry::RetryUnwatched() {
  std::vector<Holder> unwatched;
  {
    MutexLock lock(&mutex_);
    if (unwatched_.empty() || clock_.Now() < retry_at_) return;
    retry_at_ = clock_.Now() + options_.retry_pause;
    for (const HolderId id : unwatched_) {
      unwatched.push_back(processes_.at(id).holder);
    }
  }
  for (const Holder& holder : unwatched) {
    absl::StatusOr<Peer> peer = peers_.ProcessOf(holder.pid);
    if (PeerSource::IsUntold(peer.status())) continue;
    if (!peer.ok() || peer->instance != holder.instance) {
      EndHolder(holder.id, Suspicion::kGone);
      continue;
    }
    // What it shows is that the process lives, even where it is not kept.
    if (peer->pidfd.get() >= options_.recovered_end) continue;
    MutexLock lock(&mutex_);
    const auto it = processes_.find(holder.id);
    if (it == processes_.end() || it->second.pidfd.valid()) continue;
    if (!peer->pidfd.valid()) {
      unwatched_.erase(holder.id);
    } else {
      WatchLocked(&it->second, std::move(peer->pidfd)).IgnoreError();
    }
  }
}

absl::Duration HolderRegistry::LeftOfPause() {
  MutexLock lock(&mutex_);
  absl::Time next = absl::InfiniteFuture();
  if (!graces_.empty()) next = graces_.begin()->first;
  if (!unwatched_.empty()) next = std::min(next, retry_at_);
  return next - clock_.Now();
}

void HolderRegistry::WatchMain() {
  while (!stopping_) {
    for (const uint64_t tag : watched_.Wait(LeftOfPause())) {
      if ((tag & 1) != 0) {
        MutexLock lock(&mutex_);
        EndConnectionLocked(tag >> 1);
      } else {
        EndHolder(tag >> 1);
      }
    }
    RetryUnwatched();
    EndOverdue();
  }
}

}  // namespace warmpool
