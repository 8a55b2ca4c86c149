// DaemonProcess: a real warmpoold for one test, on a private socket and
// directory, both removed with it.
#ifndef WARMPOOL_TESTS_SUPPORT_DAEMON_PROCESS_H_
#define WARMPOOL_TESTS_SUPPORT_DAEMON_PROCESS_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace warmpool::testing {

class DaemonProcess {
 public:
  // Starts a daemon with these flags besides socket and directory, and waits
  // until it answers. `program` is its path in the runfiles;
  // `max_descriptors`, as many as it may have open (RLIMIT_NOFILE), and may not
  // raise. Absent: this process's limits.
  explicit DaemonProcess(const std::vector<std::string>& flags = {},
                         const std::string& program = "server/warmpoold",
                         std::optional<int> max_descriptors = std::nullopt);
  // Kills it if it runs, and removes its files.
  ~DaemonProcess();

  // "unix:PATH".
  std::string target() const { return "unix:" + directory_ + "/socket"; }
  const std::string& shm_dir() const { return shm_dir_; }
  pid_t pid() const { return process_->pid(); }

  // SIGTERM; returns the exit code.
  int Terminate();
  void Kill();
  // Starts another on the same socket and directory.
  void Restart();

  // Descriptors that it has open.
  size_t CountDescriptors() const;
  // Segment files in the directory.
  std::vector<std::string> SegmentFiles() const;

 private:
  void Start();

  const std::vector<std::string> flags_;
  const std::string program_;
  const std::optional<int> max_descriptors_;
  std::string directory_;
  std::string shm_dir_;
  std::unique_ptr<ChildProcess> process_;
};

// Whether `condition` becomes true in time; looks every millisecond.
// For what the kernel or another process does in its own time.
bool Eventually(const std::function<bool()>& condition,
                absl::Duration within = absl::Seconds(10));

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_SUPPORT_DAEMON_PROCESS_H_
