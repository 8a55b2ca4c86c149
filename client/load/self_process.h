// SelfProcess: this program again, as a child process that is told by a flag
// what it is. It reads from its standard input when to start (a byte) and when
// to stop (the end), and writes framed messages to its standard output; should
// this process die, it therefore stops.
//
// To be made before anything of gRPC, whose threads would not be in a fork.
#ifndef WARMPOOL_CLIENT_LOAD_SELF_PROCESS_H_
#define WARMPOOL_CLIENT_LOAD_SELF_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "client/load/framed_message.h"

namespace warmpool {

// Not thread-safe.
class SelfProcess {
 public:
  // Starts it with `flag` and the arguments of this process. SIGPIPE is ignored
  // from then on. Errors are those of pipe2(2) and posix_spawn(3).
  static absl::StatusOr<SelfProcess> Start(const std::string& flag,
                                           char** argv);
  // Stops it, and waits until it has ended.
  ~SelfProcess();
  SelfProcess(SelfProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        control_(std::exchange(other.control_, -1)),
        events_(std::exchange(other.events_, -1)) {}
  SelfProcess& operator=(SelfProcess&&) = delete;

  pid_t pid() const { return pid_; }
  // Its standard output, to poll; -1 once it has ended.
  int events() const { return events_; }

  void Go();
  void Stop();
  // Adds what it has written to `parser`, and waits for some. nullopt: it goes
  // on; otherwise it has ended, and was waited for: "exited with 1".
  std::optional<std::string> Read(FrameParser* parser);

 private:
  SelfProcess(pid_t pid, int control, int events)
      : pid_(pid), control_(control), events_(events) {}

  // Waits for its end.
  std::string Reap();

  pid_t pid_;
  // Our ends of its standard input and output; -1 once closed.
  int control_;
  int events_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_SELF_PROCESS_H_
