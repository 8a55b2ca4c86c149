#include "server/transport/preface_gate.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "server/clients/peer.h"
#include "server/log/log_value.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

constexpr absl::string_view kMagic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// RFC 9113, 4.1 and 6.5: length (24 bits), type, flags, stream id; then six
// bytes for each setting.
constexpr size_t kFrameHeaderBytes = 9;
constexpr size_t kSettingBytes = 6;
constexpr uint8_t kSettingsFrame = 4;
// There are 6 standard settings, and a few of gRPC's own.
constexpr size_t kMaxSettingsBytes = 64 * kSettingBytes;
constexpr size_t kMaxPrefaceBytes =
    kMagic.size() + kFrameHeaderBytes + kMaxSettingsBytes;

// Whether the client has gone, or has said all that it will.
bool HasHungUp(const UniqueFd& connection) {
  pollfd poll_fd{connection.get(), POLLRDHUP, 0};
  return poll(&poll_fd, 1, 0) > 0;
}

// Judges what has come so far, without taking it. nullopt: the client has gone.
std::optional<Preface> Peek(const UniqueFd& connection) {
  std::array<char, kMaxPrefaceBytes> bytes;
  // Asked first: what has come by then is all there will be.
  const bool hung_up = HasHungUp(connection);
  const ssize_t got = recv(connection.get(), bytes.data(), bytes.size(),
                           MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) {
    const Preface preface =
        JudgePreface(absl::string_view(bytes.data(), static_cast<size_t>(got)));
    if (preface == Preface::kIncomplete && hung_up) return std::nullopt;
    return preface;
  }
  if (got < 0 && errno == EAGAIN) return Preface::kIncomplete;
  return std::nullopt;
}

}  // namespace

Preface JudgePreface(absl::string_view bytes) {
  const size_t magic = std::min(bytes.size(), kMagic.size());
  if (bytes.substr(0, magic) != kMagic.substr(0, magic)) return Preface::kWrong;
  const absl::string_view frame = bytes.substr(magic);
  if (frame.size() < kFrameHeaderBytes) return Preface::kIncomplete;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(frame[i]); };
  const size_t length = size_t{byte(0)} << 16 | byte(1) << 8 | byte(2);
  // No flag is set in a first SETTINGS frame, and its stream is 0.
  const bool is_settings =
      byte(3) == kSettingsFrame &&
      std::all_of(frame.begin() + 4, frame.begin() + kFrameHeaderBytes,
                  [](char c) { return c == 0; });
  if (!is_settings || length % kSettingBytes != 0 ||
      length > kMaxSettingsBytes) {
    return Preface::kWrong;
  }
  return frame.size() < kFrameHeaderBytes + length ? Preface::kIncomplete
                                                   : Preface::kComplete;
}

absl::StatusOr<std::unique_ptr<PrefaceGate>> PrefaceGate::Create(
    const Clock* clock, OnReady on_ready, absl::Duration time_limit) {
  ASSIGN_OR_RETURN(EpollSet waiting, EpollSet::Create());
  std::unique_ptr<PrefaceGate> gate(new PrefaceGate(
      clock, std::move(on_ready), time_limit, std::move(waiting)));
  const absl::Status started = gate->thread_.Start(
      "wpd-preface", [raw = gate.get()] { raw->WaitMain(); });
  if (!started.ok()) return started;
  return gate;
}

void PrefaceGate::Hold(UniqueFd connection) {
  bool first = false;
  {
    MutexLock lock(&mutex_);
    const Ticket ticket = ++last_ticket_;
    // Edge-triggered: told again only when more has come. Told at once where
    // something has come already.
    const absl::Status added =
        waiting_.Add(connection.get(), EPOLLIN | EPOLLRDHUP | EPOLLET, ticket);
    if (stopping_ || !added.ok()) {
      Cut(connection, "could not be waited for");
      return;
    }
    connections_.emplace(ticket, std::move(connection));
    first = deadlines_.empty();
    deadlines_.push_back({clock_.Now() + time_limit_, ticket});
  }
  if (first) waiting_.Wake();
}

void PrefaceGate::Poll(Ticket ticket) {
  std::optional<Preface> preface;
  {
    MutexLock lock(&mutex_);
    const auto it = connections_.find(ticket);
    if (it == connections_.end()) return;
    preface = Peek(it->second);
  }
  if (preface == Preface::kIncomplete) return;
  UniqueFd connection = Take(ticket);
  if (!connection.valid()) return;
  if (preface == Preface::kComplete) {
    on_ready_(std::move(connection));
  } else if (preface == Preface::kWrong) {
    Cut(connection, "does not speak HTTP/2");
  } else {
    shutdown(connection.get(), SHUT_RDWR);
  }
}

UniqueFd PrefaceGate::Take(Ticket ticket) {
  MutexLock lock(&mutex_);
  const auto it = connections_.find(ticket);
  if (it == connections_.end()) return UniqueFd();
  UniqueFd connection = std::move(it->second);
  connections_.erase(it);
  // It goes on living, in gRPC's own epoll set.
  waiting_.Remove(connection.get());
  return connection;
}

// shutdown as well, because a duplicate may keep the connection open.
void PrefaceGate::Cut(const UniqueFd& connection, const char* reason) {
  if (const std::optional<std::string> more = log_limit_.Pass(reason)) {
    spdlog::warn("connection cut {} reason={}{}",
                 DescribePeer(connection.get()), LogValue(reason), *more);
  }
  shutdown(connection.get(), SHUT_RDWR);
}

void PrefaceGate::CutOverdue() {
  std::vector<Ticket> overdue;
  {
    MutexLock lock(&mutex_);
    while (!deadlines_.empty() && deadlines_.front().time <= clock_.Now()) {
      overdue.push_back(deadlines_.front().ticket);
      deadlines_.pop_front();
    }
  }
  for (const Ticket ticket : overdue) {
    const UniqueFd connection = Take(ticket);
    if (connection.valid()) {
      Cut(connection, "did not complete the HTTP/2 preface in time");
    }
  }
}

absl::Duration PrefaceGate::TimeLeft() {
  MutexLock lock(&mutex_);
  while (!deadlines_.empty() &&
         !connections_.contains(deadlines_.front().ticket)) {
    deadlines_.pop_front();
  }
  if (deadlines_.empty()) return absl::InfiniteDuration();
  return deadlines_.front().time - clock_.Now();
}

void PrefaceGate::WaitMain() {
  for (;;) {
    const std::vector<uint64_t> ready = waiting_.Wait(TimeLeft());
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    for (const Ticket ticket : ready) Poll(ticket);
    CutOverdue();
  }
}

void PrefaceGate::Stop() {
  if (!thread_.running()) return;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  waiting_.Wake();
  thread_.Join();
  MutexLock lock(&mutex_);
  for (const auto& [ticket, connection] : connections_) {
    shutdown(connection.get(), SHUT_RDWR);
  }
  connections_.clear();
}

}  // namespace warmpool
