#include "server/http/http_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/log/log_value.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// After the kernel refused to accept: out of descriptors, as a rule.
constexpr absl::Duration kAcceptAgain = absl::Seconds(1);
constexpr char kHeaderEnd[] = "\r\n\r\n";
// Those that may wait in the kernel until they are accepted.
constexpr int kBacklog = 128;

std::string AddressOf(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr,
              text, sizeof(text));
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6,
              &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text,
              sizeof(text));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpPort>> HttpPort::Serve(UniqueFd listening,
                                                          const Clock* clock,
                                                          Answer answer) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid() || fcntl(listening.get(), F_SETFL, O_NONBLOCK) < 0 ||
      listen(listening.get(), kBacklog) < 0) {
    return absl::ErrnoToStatus(errno, "can't serve HTTP");
  }
  std::unique_ptr<HttpPort> port(new HttpPort(
      std::move(listening), std::move(stop), clock, std::move(answer)));
  const absl::Status started =
      port->thread_.Start("wpd-metrics", [raw = port.get()] { raw->Main(); });
  if (!started.ok()) return started;
  return port;
}

HttpPort::HttpPort(UniqueFd listening, UniqueFd stop, const Clock* clock,
                   Answer answer)
    : listening_(std::move(listening)),
      stop_(std::move(stop)),
      clock_(*clock),
      answer_(std::move(answer)) {}

HttpPort::~HttpPort() {
  eventfd_write(stop_.get(), 1);
  thread_.Join();
}

void HttpPort::Main() {
  while (Poll()) EndOverdue();
}

bool HttpPort::Poll() {
  const bool accepts = clock_.Now() >= accept_at_;
  std::vector<pollfd> polled = {{stop_.get(), POLLIN, 0},
                                {accepts ? listening_.get() : -1, POLLIN, 0}};
  for (const Connection& connection : connections_) {
    const bool writes = connection.phase == Connection::Phase::kWriting;
    polled.push_back({connection.fd.get(),
                      static_cast<short>(writes ? POLLOUT : POLLIN), 0});
  }
  poll(polled.data(), polled.size(), PollTimeout());
  if (polled[0].revents != 0) return false;
  size_t at = 2;
  for (auto it = connections_.begin(); it != connections_.end(); ++at) {
    const bool over = polled[at].revents != 0 && !Advance(&*it);
    it = over ? connections_.erase(it) : std::next(it);
  }
  // Those that are ready come first.
  if (polled[1].revents != 0) Accept();
  return true;
}

int HttpPort::PollTimeout() const {
  const absl::Time now = clock_.Now();
  absl::Time due = absl::InfiniteFuture();
  if (!connections_.empty()) due = connections_.front().begun + kPatience;
  if (accept_at_ > now) due = std::min(due, accept_at_);
  if (due == absl::InfiniteFuture()) return -1;
  // Rounded up, so that it does not come back too early again and again.
  return static_cast<int>(absl::ToInt64Milliseconds(
             std::max(due - now, absl::ZeroDuration()))) +
         1;
}

void HttpPort::Accept() {
  if (connections_.size() >= kMostConnections && !MakeRoom()) return;
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  UniqueFd fd(accept4(listening_.get(), reinterpret_cast<sockaddr*>(&address),
                      &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd.valid()) {
    complained_ = false;
    connections_.push_back({.fd = std::move(fd),
                            .address = AddressOf(address),
                            .begun = clock_.Now()});
  } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
    accept_at_ = clock_.Now() + kAcceptAgain;
    if (std::exchange(complained_, true)) return;
    spdlog::warn("metrics are not served for the moment reason={}",
                 LogValue(strerror(errno)));
  }
}

bool HttpPort::MakeRoom() {
  std::map<std::string, size_t> counts;
  for (const Connection& connection : connections_) {
    ++counts[connection.address];
  }
  const absl::Time settled = clock_.Now() - kSettled;
  auto victim = connections_.end();
  for (auto it = connections_.begin(); it != connections_.end(); ++it) {
    if (it->begun > settled) break;
    if (victim == connections_.end() ||
        counts[it->address] > counts[victim->address]) {
      victim = it;
    }
  }
  if (victim == connections_.end()) {
    accept_at_ = connections_.front().begun + kSettled;
    return false;
  }
  connections_.erase(victim);
  return true;
}

void HttpPort::EndOverdue() {
  const absl::Time begun_by = clock_.Now() - kPatience;
  while (!connections_.empty() && connections_.front().begun <= begun_by) {
    connections_.pop_front();
  }
}

bool HttpPort::Advance(Connection* connection) {
  return connection->phase == Connection::Phase::kWriting ? Write(connection)
                                                          : Read(connection);
}

bool HttpPort::Read(Connection* connection) {
  std::array<char, 4096> buffer;
  const ssize_t got =
      recv(connection->fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  connection->received += static_cast<size_t>(got);
  if (got == 0 || connection->received > kMostReadBytes) return false;
  if (connection->phase == Connection::Phase::kDraining) return true;
  std::string& bytes = connection->bytes;
  const size_t known = bytes.size();
  bytes.append(buffer.data(), static_cast<size_t>(got));
  constexpr size_t kOverlap = sizeof(kHeaderEnd) - 2;
  const size_t from = known - std::min(known, kOverlap);
  if (bytes.find(kHeaderEnd, from) == std::string::npos) return true;
  bytes = answer_(bytes);
  connection->phase = Connection::Phase::kWriting;
  return Write(connection);
}

bool HttpPort::Write(Connection* connection) {
  const std::string& bytes = connection->bytes;
  while (connection->sent < bytes.size()) {
    const ssize_t put =
        send(connection->fd.get(), bytes.data() + connection->sent,
             bytes.size() - connection->sent, MSG_NOSIGNAL);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    connection->sent += static_cast<size_t>(put);
  }
  shutdown(connection->fd.get(), SHUT_WR);
  connection->bytes.clear();
  connection->bytes.shrink_to_fit();
  connection->phase = Connection::Phase::kDraining;
  return true;
}

}  // namespace warmpool
