#include "server/listener.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "server/log_value.h"
#include "server/peer.h"
#include "server/socket_directory.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// Descriptors of connections are numbered from here up.
constexpr int kFirstNumber = 256;
// Descriptors kept for segments and the rest, at least.
constexpr int kReservedNumbers = 128;
// Out of descriptors: a pause lets some connection end.
constexpr int kPauseMilliseconds = 50;

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket path ", path, " is too long"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// Who accepts connections at the address: "pid=12 uid=0". nullopt: nobody.
std::optional<std::string> WhoServes(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return DescribePeer(probe.get());
  }
  if (errno == EAGAIN) return "it takes no more connections now";
  return std::nullopt;
}

// Removes what a daemon that died left at `path`.
absl::Status RemoveStaleSocket(const std::string& path,
                               const sockaddr_un& address) {
  struct stat file;
  if (lstat(path.c_str(), &file) < 0) return absl::OkStatus();
  if (!S_ISSOCK(file.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path,
                     " exists and is no socket: listen elsewhere "
                     "(--listen)"));
  }
  if (const std::optional<std::string> who = WhoServes(address)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "another process listens on ", path, " (", *who,
        "): stop that daemon first, or listen elsewhere (--listen)"));
  }
  unlink(path.c_str());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Bind(
    const std::string& path, mode_t mode) {
  const absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok()) return address.status();
  const absl::Status directory = PrepareSocketDirectory(path, mode);
  if (!directory.ok()) return directory;
  const absl::Status free = RemoveStaleSocket(path, *address);
  if (!free.ok()) return free;

  UniqueFd fd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  UniqueFd stop_fd(eventfd(0, EFD_CLOEXEC));
  if (!fd.valid() || !stop_fd.valid() ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
           sizeof(*address)) < 0 ||
      chmod(path.c_str(), mode) < 0 || listen(fd.get(), SOMAXCONN) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't listen on ", path));
  }
  return std::unique_ptr<Listener>(
      new Listener(path, std::move(fd), std::move(stop_fd)));
}

Listener::Listener(std::string path, UniqueFd socket, UniqueFd stop_fd)
    : path_(std::move(path)),
      socket_(std::move(socket)),
      stop_fd_(std::move(stop_fd)),
      numbers_(&MonotonicClock::Get()) {}

Listener::~Listener() {
  Stop();
  unlink(path_.c_str());
}

absl::Status Listener::Start(OnConnection on_connection) {
  on_connection_ = std::move(on_connection);
  return acceptor_.Start("wpd-accept", [this] { AcceptMain(); });
}

void Listener::Stop() {
  if (!acceptor_.running()) return;
  eventfd_write(stop_fd_.get(), 1);
  acceptor_.Join();
}

void Listener::AcceptMain() {
  bool pause = false;
  for (;;) {
    pollfd events[] = {{stop_fd_.get(), POLLIN, 0},
                       {socket_.get(), POLLIN, 0}};
    if (pause) {
      poll(events, 1, kPauseMilliseconds);
    } else {
      poll(events, 2, -1);
    }
    if (events[0].revents != 0) return;
    pause = !AcceptOne();
  }
}

bool Listener::AcceptOne() {
  UniqueFd accepted(
      accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!accepted.valid()) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return true;
    Complain("accept failed, will try again");
    return false;
  }
  UniqueFd numbered = Numbered(accepted);
  if (!numbered.valid()) {
    Complain("out of descriptors, connections are refused: raise `ulimit -n`, "
             "or LimitNOFILE=");
    return false;
  }
  complained_ = false;
  accepted.Reset();
  on_connection_(std::move(numbered));
  return true;
}

UniqueFd Listener::Numbered(const UniqueFd& accepted) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20)) -
                  kReservedNumbers;
  // The rest is for segments; of a very low limit they get what is left.
  if (end <= kFirstNumber) {
    return numbers_.Renumber(
        accepted, {std::max(end, 0), static_cast<int>(limit.rlim_cur)});
  }
  return numbers_.Renumber(accepted, {kFirstNumber, end});
}

void Listener::Complain(const char* what) {
  if (!std::exchange(complained_, true)) {
    spdlog::warn("{} socket={} reason={}", what, LogValue(path_),
                 LogValue(std::strerror(errno)));
  }
}

}  // namespace warmpool
