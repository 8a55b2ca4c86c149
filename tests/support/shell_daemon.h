// ShellDaemon: a real warmpoold that a shell starts, in whatever environment
// the shell was told to make, on a private socket and directory.
#ifndef WARMPOOL_TESTS_SUPPORT_SHELL_DAEMON_H_
#define WARMPOOL_TESTS_SUPPORT_SHELL_DAEMON_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace warmpool::testing {

class ShellDaemon {
 public:
  // What a script may end in: the daemon, whose log the test reads, or does
  // not.
  static constexpr char kExec[] = "exec \"$@\" 2>&1";

  // Has sh run `script`, in which "$@" is the daemon with its socket, directory
  // and `flags`. It may not have started yet when this returns.
  explicit ShellDaemon(const std::string& script,
                       const std::vector<std::string>& flags = {});
  // Kills it if it runs, and removes its files.
  ~ShellDaemon();

  std::string socket() const { return directory_ + "/socket"; }
  std::string target() const { return "unix:" + socket(); }
  // Empty, for the script to use.
  const std::string& directory() const { return directory_; }
  const std::string& shm_dir() const { return shm_dir_; }
  ChildProcess& process() { return *process_; }
  pid_t pid() const { return process_->pid(); }

  // Waits until clients can connect; false: not in time.
  bool Listens();
  // Its log, line by line, up to one that has `text` in it; empty: there is
  // none.
  std::string LineWith(const std::string& text);
  // Whether it has ended within ten seconds. Its exit code is Wait's.
  bool Ends();

 private:
  std::string directory_;
  std::string shm_dir_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_SUPPORT_SHELL_DAEMON_H_
