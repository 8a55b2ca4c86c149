// DaemonControl: the real daemon, run, killed and run again on the same socket
// and directory, and a connection to it. Not thread-safe; main thread only.
#ifndef WARMPOOL_TESTS_TORTURE_DAEMON_CONTROL_H_
#define WARMPOOL_TESTS_TORTURE_DAEMON_CONTROL_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "tests/torture/sabotage.h"
#include "tests/torture/tied_process.h"

namespace warmpool::torture {

class DaemonControl {
 public:
  struct Options {
    // The program.
    std::string path = {};
    // Where the socket and the log go.
    std::string directory = {};
    std::string shm_dir = {};
    uint64_t capacity_bytes = 0;
    // Besides those that it has anyway, and before which these go.
    std::vector<std::string> flags = {};
    // What a failpoint_daemon is to do wrong.
    Sabotage sabotage = Sabotage::kNone;
  };

  // What to do again and again while waiting for the daemon.
  using Meanwhile = std::function<void()>;

  DaemonControl(Options options, Meanwhile meanwhile);

  // Runs it and waits until it serves. With a failpoint (not 0), it is told to
  // kill itself at that call; that it did so before it served is OK, and
  // running() tells.
  absl::Status Start(uint64_t failpoint);
  void Kill() { process_->Kill(); }
  // SIGTERM; waits until it has exited, which must be with 0.
  absl::Status Terminate();

  bool running();
  // Whether it was told to kill itself and did. REQUIRES: not running.
  bool killed_itself();
  // Of the last one. REQUIRES: not running.
  std::string HowItEnded();

  // Whether admin() is connected to one that served.
  bool serves() { return admin_ != nullptr && running(); }
  pid_t pid() const { return process_->pid(); }
  std::string target() const;
  // Calls fail within seconds if the daemon does.
  AdminCalls& admin() { return *admin_; }
  // From the start of a daemon to the moment that it served, at most.
  absl::Duration longest_start() const { return longest_start_; }
  // The last lines of all daemons' logs.
  std::string LogTail() const;

 private:
  std::vector<std::string> Arguments() const;
  bool Serves();
  std::string log_path() const { return options_.directory + "/log"; }
  std::string log_before_path() const { return log_path() + ".before"; }
  // The log of hours would be as large as the pool.
  void KeepLogSmall() const;

  const Options options_;
  const Meanwhile meanwhile_;
  std::unique_ptr<TiedProcess> process_;
  uint64_t failpoint_ = 0;
  std::shared_ptr<AdminCalls> admin_;
  absl::Duration longest_start_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_DAEMON_CONTROL_H_
