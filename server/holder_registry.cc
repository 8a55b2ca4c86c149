#include "server/holder_registry.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// Linux 6.5, include/uapi/asm-generic/socket.h; Debian 12's headers are older.
constexpr int kSoPeerPidfd = 77;

// The epoll tag of the descriptor that stops the watcher; no process has it.
constexpr uint64_t kStopTag = 0;

// A descriptor for the peer's process. Where the kernel can't give one for the
// very process that connected, one is opened by its number at once.
UniqueFd PidfdOf(int connection_fd, pid_t pid) {
  int pidfd = -1;
  socklen_t size = sizeof(pidfd);
  if (getsockopt(connection_fd, SOL_SOCKET, kSoPeerPidfd, &pidfd, &size) == 0) {
    return UniqueFd(pidfd);
  }
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

// A pidfd becomes readable when its process has ended (pidfd_open(2)).
bool HasEnded(const UniqueFd& pidfd) {
  pollfd poll_fd{pidfd.get(), POLLIN, 0};
  return poll(&poll_fd, 1, 0) > 0;
}

std::string CommandOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string command;
  std::getline(file, command);
  return command;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HolderRegistry>> HolderRegistry::Create(
    Pool* pool) {
  UniqueFd epoll_fd(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd stop_fd(eventfd(0, EFD_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kStopTag;
  if (!epoll_fd.valid() || !stop_fd.valid() ||
      epoll_ctl(epoll_fd.get(), EPOLL_CTL_ADD, stop_fd.get(), &event) < 0) {
    return absl::ErrnoToStatus(errno, "can't watch for the end of processes");
  }
  return std::unique_ptr<HolderRegistry>(
      new HolderRegistry(pool, std::move(epoll_fd), std::move(stop_fd)));
}

HolderRegistry::HolderRegistry(Pool* pool, UniqueFd epoll_fd, UniqueFd stop_fd)
    : pool_(*pool),
      epoll_fd_(std::move(epoll_fd)),
      stop_fd_(std::move(stop_fd)),
      watcher_([this] { WatchMain(); }) {}

HolderRegistry::~HolderRegistry() {
  eventfd_write(stop_fd_.get(), 1);
  watcher_.join();
}

absl::Status HolderRegistry::Admit(int connection_fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(connection_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
    return absl::ErrnoToStatus(errno, "can't tell who connected");
  }
  if (peer.uid != geteuid() && peer.uid != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("uid ", peer.uid, " is not served: this daemon serves uid ",
                     geteuid()));
  }
  const absl::StatusOr<HolderId> holder =
      HolderOf(peer.pid, peer.uid, PidfdOf(connection_fd, peer.pid));
  if (!holder.ok()) return holder.status();
  MutexLock lock(&mutex_);
  connections_[connection_fd] = *holder;
  return absl::OkStatus();
}

absl::StatusOr<HolderId> HolderRegistry::HolderOf(pid_t pid, uid_t uid,
                                                  UniqueFd pidfd) {
  if (!pidfd.valid()) {
    return absl::UnavailableError(
        absl::StrCat("pid ", pid, " has ended, or can't be watched"));
  }
  // An earlier process of the same number.
  EndIfGone(pid);

  Holder holder{0, pid, uid, CommandOf(pid), /*admin=*/true};
  MutexLock lock(&mutex_);
  const auto known = processes_.find(pid);
  if (known != processes_.end()) return known->second.holder.id;
  holder.id = ++last_id_;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<uint64_t>(pid);
  if (epoll_ctl(epoll_fd_.get(), EPOLL_CTL_ADD, pidfd.get(), &event) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't watch pid ", pid));
  }
  pool_.AddHolder(holder);
  processes_.emplace(pid, Process{holder, std::move(pidfd)});
  return holder.id;
}

absl::StatusOr<HolderId> HolderRegistry::Resolve(absl::string_view peer) const {
  int fd = -1;
  absl::string_view number = peer;
  if (absl::ConsumePrefix(&number, "fd:") && absl::SimpleAtoi(number, &fd)) {
    MutexLock lock(&mutex_);
    const auto it = connections_.find(fd);
    if (it != connections_.end()) return it->second;
  }
  return absl::UnauthenticatedError(
      absl::StrCat("no process is known behind connection \"", peer, "\""));
}

void HolderRegistry::EndIfGone(pid_t pid) {
  HolderId id = 0;
  {
    MutexLock lock(&mutex_);
    const auto it = processes_.find(pid);
    if (it == processes_.end() || !HasEnded(it->second.pidfd)) return;
    id = it->second.holder.id;
    // Closing the pidfd also takes it out of the epoll set.
    processes_.erase(it);
    absl::erase_if(connections_,
                   [id](const auto& entry) { return entry.second == id; });
  }
  spdlog::debug("holder gone pid={} holder={}", pid, id);
  pool_.RemoveHolder(id);
}

void HolderRegistry::WatchMain() {
  for (;;) {
    std::array<epoll_event, 64> events;
    const int ready =
        epoll_wait(epoll_fd_.get(), events.data(), events.size(), -1);
    if (ready < 0 && errno != EINTR) {
      spdlog::error("epoll_wait failed, ends of processes go unnoticed: {}",
                    errno);
      return;
    }
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.u64 == kStopTag) return;
      EndIfGone(static_cast<pid_t>(events[i].data.u64));
    }
  }
}

}  // namespace warmpool
