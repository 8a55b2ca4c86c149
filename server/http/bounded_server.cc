#include "server/http/bounded_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace warmpool {
namespace {

// A connection until its deadline. Not thread-safe.
class BoundedStream final : public httplib::Stream {
 public:
  BoundedStream(socket_t socket, const Clock& clock, absl::Time deadline,
                size_t budget)
      : socket_(socket), clock_(clock), deadline_(deadline), budget_(budget) {}

  bool is_readable() const override { return begin_ < end_ || Await(POLLIN); }
  bool is_writable() const override { return Await(POLLOUT); }

  ssize_t read(char* data, size_t size) override {
    if (begin_ == end_ && !Fill()) return -1;
    const size_t taken = std::min(size, end_ - begin_);
    std::memcpy(data, buffer_.data() + begin_, taken);
    begin_ += taken;
    return static_cast<ssize_t>(taken);
  }

  ssize_t write(const char* data, size_t size) override {
    return Await(POLLOUT) ? send(socket_, data, size, MSG_NOSIGNAL) : -1;
  }

  // Nobody asks who it is.
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_; }

 private:
  bool Await(short events) const {
    const absl::Duration left = deadline_ - clock_.Now();
    if (left <= absl::ZeroDuration()) return false;
    pollfd polled{.fd = socket_, .events = events, .revents = 0};
    // Rounded up, so that it does not come back too early again and again.
    return poll(&polled, 1,
                static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) > 0;
  }

  bool Fill() {
    const size_t most = std::min(buffer_.size(), budget_);
    if (most == 0 || !Await(POLLIN)) return false;
    const ssize_t received = recv(socket_, buffer_.data(), most, 0);
    if (received <= 0) return false;
    begin_ = 0;
    end_ = static_cast<size_t>(received);
    budget_ -= end_;
    return true;
  }

  const socket_t socket_;
  const Clock& clock_;
  const absl::Time deadline_;
  // Bytes that may still be received.
  size_t budget_;
  // httplib reads byte by byte.
  std::array<char, 1024> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace

void BoundedServer::CutOff() {
  MutexLock lock(&mutex_);
  cut_off_ = true;
  for (const socket_t socket : open_) shutdown(socket, SHUT_RDWR);
}

bool BoundedServer::process_and_close_socket(socket_t socket) {
  {
    MutexLock lock(&mutex_);
    open_.insert(socket);
    if (cut_off_) shutdown(socket, SHUT_RDWR);
  }
  BoundedStream stream(socket, clock_, clock_.Now() + kPatience,
                       kMostReadBytes);
  bool closed = false;
  // One request: an idle connection would occupy a thread.
  const bool answered =
      process_request(stream, /*close_connection=*/true, closed, nullptr);
  {
    MutexLock lock(&mutex_);
    open_.erase(socket);
  }
  shutdown(socket, SHUT_RDWR);
  close(socket);
  return answered;
}

}  // namespace warmpool
