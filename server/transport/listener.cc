#include "server/transport/listener.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "server/clients/peer.h"
#include "server/log/log_value.h"
#include "server/transport/socket_directory.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// Descriptors of connections are numbered from here up.
constexpr int kFirstNumber = 256;
// Descriptors kept for segments and the rest, at least.
constexpr int kReservedNumbers = 128;
// Out of descriptors: a pause lets some connection end.
constexpr absl::Duration kPause = absl::Milliseconds(50);
// How often the name of the socket is looked at: clients try for longer to
// connect again.
constexpr absl::Duration kNameCheck = absl::Seconds(2);

// Rounded up, so that nobody comes back too early.
int ToPollTimeout(absl::Duration duration) {
  return static_cast<int>(std::max<int64_t>(
      absl::ToInt64Milliseconds(duration + absl::Milliseconds(1)), 0));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Listen(
    std::unique_ptr<BoundSocket> socket, const SocketAccess& access) {
  UniqueFd stop_fd(eventfd(0, EFD_CLOEXEC));
  if (!stop_fd.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Listener>(
      new Listener(std::move(socket), access, std::move(stop_fd)));
}

Listener::Listener(std::unique_ptr<BoundSocket> socket,
                   const SocketAccess& access, UniqueFd stop_fd)
    : access_(access),
      stop_fd_(std::move(stop_fd)),
      clock_(MonotonicClock::Get()),
      numbers_(&clock_),
      socket_(std::move(socket)) {}

Listener::~Listener() { Stop(); }

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
  absl::Time name_due = clock_.Now() + kNameCheck;
  bool pause = false;
  for (;;) {
    pollfd events[] = {{stop_fd_.get(), POLLIN, 0},
                       {socket_->fd(), POLLIN, 0},
                       {before_ == nullptr ? -1 : before_->fd(), POLLIN, 0}};
    if (pause) {
      poll(events, 1, ToPollTimeout(kPause));
    } else {
      poll(events, 3, ToPollTimeout(name_due - clock_.Now()));
    }
    if (events[0].revents != 0) return;
    pause = false;
    for (const int i : {1, 2}) {
      if (events[i].revents != 0) pause |= !AcceptOne(events[i].fd);
    }
    if (clock_.Now() >= name_due) {
      KeepName();
      name_due = clock_.Now() + kNameCheck;
    }
  }
}

void Listener::KeepName() {
  before_.reset();
  if (socket_->IsNamed()) {
    unnamed_ = false;
    return;
  }
  const std::optional<BoundSocket::File> there =
      BoundSocket::FileAt(socket_->path());
  // Asking again would be a connection to another daemon each time.
  if (unnamed_ && there.has_value() && there == in_the_way_) return;
  in_the_way_ = there;
  absl::StatusOr<std::unique_ptr<BoundSocket>> again =
      socket_->is_adopted() ? absl::FailedPreconditionError(
                                  "the service manager made it: systemctl "
                                  "restart its .socket unit")
                            : BoundSocket::Bind(socket_->path(), access_);
  if (again.ok()) {
    // Who has connected to it by then is accepted.
    before_ = std::exchange(socket_, *std::move(again));
    unnamed_ = false;
    spdlog::warn(
        "somebody removed the socket's file, it is made again socket={}",
        LogValue(socket_->path()));
  } else if (!std::exchange(unnamed_, true)) {
    spdlog::error(
        "somebody removed the socket's file, nobody can connect socket={} "
        "reason={}",
        LogValue(socket_->path()), LogValue(again.status().message()));
  }
}

bool Listener::AcceptOne(int socket) {
  UniqueFd accepted(
      accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!accepted.valid()) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return true;
    LogOnce("accept failed, will try again");
    return false;
  }
  UniqueFd numbered = Numbered(accepted);
  if (!numbered.valid()) {
    LogOnce(
        "out of descriptors, connections are refused: raise `ulimit -n`, "
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

void Listener::LogOnce(const char* what) {
  if (!std::exchange(complained_, true)) {
    spdlog::warn("{} socket={} reason={}", what, LogValue(socket_->path()),
                 LogValue(std::strerror(errno)));
  }
}

}  // namespace warmpool
