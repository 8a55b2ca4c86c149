// PrefaceGate: where a connection waits until its client has begun to speak
// HTTP/2: the client's preface and a whole SETTINGS frame (RFC 9113, 3.4). One
// that has not done so in time, or says something else, is cut. gRPC's own
// handshake time limit is for its own listener's connections only (gRPC 1.51,
// server_chttp2.cc: a connection given by descriptor gets none).
//
// What it looks at stays in the socket for gRPC to read.
#ifndef WARMPOOL_SERVER_TRANSPORT_PREFACE_GATE_H_
#define WARMPOOL_SERVER_TRANSPORT_PREFACE_GATE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/epoll_set.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "core/base/unique_fd.h"
#include "server/log/log_limit.h"

namespace warmpool {

enum class Preface {
  kComplete,
  // A beginning of one.
  kIncomplete,
  kWrong,
};

// What the first bytes of a connection are.
Preface JudgePreface(absl::string_view bytes);

// Thread-safe.
class PrefaceGate {
 public:
  static constexpr absl::Duration kTimeLimit = absl::Seconds(3);
  // Owns the descriptor. Called on one thread or several.
  using OnReady = std::function<void(UniqueFd connection)>;

  // `clock` must outlive this. Starts the thread that waits.
  static absl::StatusOr<std::unique_ptr<PrefaceGate>> Create(
      const Clock* clock, OnReady on_ready,
      absl::Duration time_limit = kTimeLimit);
  ~PrefaceGate() { Stop(); }

  // Passes the connection on as soon as its client has begun, or cuts it. Does
  // not wait.
  void Hold(UniqueFd connection);

  // Cuts all that wait. None is passed on after that.
  void Stop();

 private:
  // Names a connection that waits; never given twice, never 0.
  using Ticket = uint64_t;

  PrefaceGate(const Clock* clock, OnReady on_ready, absl::Duration time_limit,
              EpollSet waiting)
      : clock_(*clock),
        on_ready_(std::move(on_ready)),
        time_limit_(time_limit),
        waiting_(std::move(waiting)),
        log_limit_(clock) {}

  // Passes on or cuts a connection, unless it has to wait on.
  void Poll(Ticket ticket);
  // Takes a connection out; an invalid one is not there any more.
  UniqueFd Take(Ticket ticket);
  void Cut(const UniqueFd& connection, const char* reason);
  void CutOverdue();
  absl::Duration TimeLeft();
  void WaitMain();

  const Clock& clock_;
  const OnReady on_ready_;
  const absl::Duration time_limit_;
  EpollSet waiting_;
  LogLimit log_limit_;

  Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Ticket last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<Ticket, UniqueFd> connections_ ABSL_GUARDED_BY(mutex_);
  struct Deadline {
    absl::Time time;
    Ticket ticket;
  };
  // In the order of their times. Some are of connections that have gone on.
  std::deque<Deadline> deadlines_ ABSL_GUARDED_BY(mutex_);

  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_PREFACE_GATE_H_
