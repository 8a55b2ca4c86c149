#include "server/clients/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "core/base/user_namespace.h"
#include "core/memory/kernel/descriptor_limit.h"

namespace warmpool {
namespace {

// include/uapi/asm-generic/socket.h of Linux 6.5; Debian 12's is older.
constexpr int kSoPeerPidfd = 77;
// include/uapi/linux/magic.h of Linux 6.9: the filesystem of pidfds. Elsewhere
// all pidfds have one inode in common.
constexpr auto kPidfdFilesystem = 0x50494446;

// Whether the kernel had no room for a pidfd.
bool LacksRoom(int error) { return LacksDescriptors(error) || error == ENOMEM; }

absl::Status CannotWatch(int error, pid_t pid) {
  const std::string what = absl::StrCat("can't watch pid ", pid);
  return LacksDescriptors(error) ? DescriptorsExhausted(error, what)
                                 : absl::ResourceExhaustedError(
                                       absl::StrCat(what, ": out of memory"));
}

// Of a file in /proc about the process: what its first read gives, empty if
// there is none. RESOURCE_EXHAUSTED: out of descriptors.
absl::StatusOr<std::string> ContentsOf(pid_t pid, const char* name) {
  const UniqueFd file(open(absl::StrCat("/proc/", pid, "/", name).c_str(),
                           O_RDONLY | O_CLOEXEC));
  if (!file.valid() && LacksRoom(errno)) return CannotWatch(errno, pid);
  char contents[4096];
  const ssize_t got =
      file.valid() ? read(file.get(), contents, sizeof(contents)) : 0;
  return std::string(contents, got > 0 ? static_cast<size_t>(got) : 0);
}

// A pidfd by number. NOT_FOUND: no such process. Invalid: there are none here.
absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid) {
  if (pid <= 0) return UniqueFd();
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.valid()) return pidfd;
  if (errno == ESRCH) {
    return absl::NotFoundError(absl::StrCat("pid ", pid, " has ended"));
  }
  if (LacksRoom(errno)) return CannotWatch(errno, pid);
  return UniqueFd();
}

absl::StatusOr<UniqueFd> PeerPidfd(int connection_fd, pid_t pid) {
  int pidfd = -1;
  socklen_t size = sizeof(pidfd);
  if (getsockopt(connection_fd, SOL_SOCKET, kSoPeerPidfd, &pidfd, &size) == 0) {
    return UniqueFd(pidfd);
  }
  // By number only where the kernel can't do better: any other error is of a
  // peer that has ended, and its number may be another's.
  if (errno == ENOPROTOOPT) return OpenPidfd(pid);
  if (LacksRoom(errno)) return CannotWatch(errno, pid);
  return absl::NotFoundError(absl::StrCat("pid ", pid, " has ended"));
}

absl::StatusOr<ucred> PeerCredentials(int connection_fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(connection_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) <
      0) {
    return absl::ErrnoToStatus(errno, "can't tell who connected");
  }
  return credentials;
}

std::vector<gid_t> GroupsOf(int connection_fd, gid_t primary) {
  std::vector<gid_t> groups(32);
  for (;;) {
    socklen_t size = groups.size() * sizeof(gid_t);
    if (getsockopt(connection_fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(),
                   &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      break;
    }
    // ERANGE comes with the size it takes.
    const bool too_small =
        errno == ERANGE && size > groups.size() * sizeof(gid_t);
    groups.resize(too_small ? size / sizeof(gid_t) : 0);
    if (!too_small) break;
  }
  groups.push_back(primary);
  return groups;
}

bool HasInode(const UniqueFd& pidfd) {
  struct statfs filesystem;
  return pidfd.valid() && fstatfs(pidfd.get(), &filesystem) == 0 &&
         filesystem.f_type == kPidfdFilesystem;
}

// Whether a process that connects is told by its pidfd's inode here, even where
// pidfd_open(2) is forbidden (seccomp).
bool PeersHaveInodes() {
  static const bool they_have = [] {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
      return false;
    }
    const UniqueFd one(ends[0]), other(ends[1]);
    int pidfd = -1;
    socklen_t size = sizeof(pidfd);
    getsockopt(one.get(), SOL_SOCKET, kSoPeerPidfd, &pidfd, &size);
    return HasInode(UniqueFd(pidfd));
  }();
  return they_have;
}

// Tells the process of `pidfd`, which may be invalid, from others of its pid.
absl::StatusOr<uint64_t> InstanceOf(const UniqueFd& pidfd, pid_t pid) {
  struct stat file;
  if (HasInode(pidfd) && fstat(pidfd.get(), &file) == 0) return file.st_ino;
  if (pid <= 0) return 0;
  ASSIGN_OR_RETURN(const std::string stat, ContentsOf(pid, "stat"));
  return StartTimeIn(stat);
}

// Fills in what hangs on the pid. NOT_FOUND: the process has ended, and what
// was read may be of a later one with its number. RESOURCE_EXHAUSTED: out of
// descriptors.
absl::Status Describe(Peer* peer) {
  ASSIGN_OR_RETURN(const uint64_t instance, InstanceOf(peer->pidfd, peer->pid));
  peer->instance = instance;
  if (peer->pid > 0) {
    // Nothing depends on it.
    peer->command = ContentsOf(peer->pid, "comm").value_or("");
    if (!peer->command.empty()) peer->command.pop_back();
    // A process names itself as it likes (prctl(2)), with what would command a
    // terminal or is no text, and its name is shown to others.
    for (char& c : peer->command) {
      if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
    }
  }
  if (!peer->pidfd.valid() || !HasEnded(peer->pidfd)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("pid ", peer->pid, " has ended"));
}

}  // namespace

KernelPeerSource& KernelPeerSource::Get() {
  static KernelPeerSource source;
  return source;
}

absl::StatusOr<Credentials> KernelPeerSource::CredentialsOf(int connection_fd) {
  ASSIGN_OR_RETURN(const ucred credentials, PeerCredentials(connection_fd));
  if (MayBeAnyUser(credentials.uid)) {
    return absl::PermissionDeniedError(
        absl::StrCat("the user that connected has no uid in the daemon's user "
                     "namespace (the "
                     "kernel shows ",
                     credentials.uid,
                     "), so it can't be told who it is: map it, or run a "
                     "daemon where the user "
                     "is known"));
  }
  return Credentials{.uid = credentials.uid,
                     .gids = GroupsOf(connection_fd, credentials.gid)};
}

absl::StatusOr<Peer> KernelPeerSource::PeerOf(int connection_fd) {
  ASSIGN_OR_RETURN(const ucred credentials, PeerCredentials(connection_fd));
  absl::StatusOr<UniqueFd> pidfd = PeerPidfd(connection_fd, credentials.pid);
  if (absl::IsResourceExhausted(pidfd.status())) return pidfd.status();
  Peer peer;
  peer.pid = credentials.pid;
  peer.credentials.uid = credentials.uid;
  peer.credentials.gids = GroupsOf(connection_fd, credentials.gid);
  absl::Status described = pidfd.status();
  if (pidfd.ok()) {
    peer.pidfd = *std::move(pidfd);
    described = Describe(&peer);
  }
  if (absl::IsResourceExhausted(described)) return described;
  if (!described.ok()) {
    return absl::UnavailableError(
        absl::StrCat("pid ", credentials.pid, " connected and has ended"));
  }
  return peer;
}

absl::StatusOr<Peer> KernelPeerSource::ProcessOf(pid_t pid) {
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(pid);
  Peer peer;
  peer.pid = pid;
  absl::Status described = pidfd.status();
  if (pidfd.ok() && !pidfd->valid() && PeersHaveInodes()) {
    described = absl::PermissionDeniedError(absl::StrCat(
        "can't tell which process pid ", pid, " is: pidfd_open is forbidden"));
  } else if (pidfd.ok()) {
    peer.pidfd = *std::move(pidfd);
    described = Describe(&peer);
  }
  // That much can be told without a descriptor.
  const bool gone = IsUntold(described) ? kill(pid, 0) < 0 && errno == ESRCH
                                        : described.ok() && peer.instance == 0;
  if (gone) return absl::NotFoundError(absl::StrCat("pid ", pid, " has ended"));
  if (!described.ok()) return described;
  return peer;
}

bool HasEnded(const UniqueFd& pidfd) {
  pollfd poll_fd{pidfd.get(), POLLIN, 0};
  return poll(&poll_fd, 1, 0) > 0;
}

uint64_t StartTimeIn(absl::string_view stat) {
  // proc(5): field 2 is the command's name in parentheses, 22 the start time.
  constexpr size_t kFieldAfterName = 3;
  constexpr size_t kStartTimeField = 22;
  const size_t name_end = stat.rfind(')');
  if (name_end == absl::string_view::npos) return 0;
  const std::vector<absl::string_view> fields = absl::StrSplit(
      stat.substr(name_end + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  uint64_t ticks = 0;
  constexpr size_t kIndex = kStartTimeField - kFieldAfterName;
  if (fields.size() <= kIndex || !absl::SimpleAtoi(fields[kIndex], &ticks)) {
    return 0;
  }
  return ticks;
}

std::string DescribePeer(int connection_fd) {
  const absl::StatusOr<ucred> peer = PeerCredentials(connection_fd);
  if (!peer.ok()) return "pid=0";
  return absl::StrCat("pid=", peer->pid, " uid=", peer->uid);
}

}  // namespace warmpool
