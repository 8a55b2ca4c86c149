#include "tests/torture/tied_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace warmpool::torture {
namespace {

std::vector<char*> PointersTo(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) {
    pointers.push_back(const_cast<char*>(string.c_str()));
  }
  return pointers;
}

// In a child forked from a process with threads: only what a signal handler
// might do.
[[noreturn]] void Become(char** argv, char** envp,
                         const TiedProcess::Files& files, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have died before.
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  if (files.input >= 0) dup2(files.input, STDIN_FILENO);
  if (files.output >= 0) dup2(files.output, STDOUT_FILENO);
  if (files.error >= 0) dup2(files.error, STDERR_FILENO);
  execve(argv[0], argv, envp);
  _exit(127);
}

}  // namespace

TiedProcess::TiedProcess(const std::vector<std::string>& arguments,
                         const Files& files,
                         const std::vector<std::string>& environment) {
  std::vector<char*> argv = PointersTo(arguments);
  argv.push_back(nullptr);
  std::vector<char*> envp = PointersTo(environment);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    envp.push_back(*variable);
  }
  envp.push_back(nullptr);
  const pid_t self = getpid();
  pid_ = fork();
  if (pid_ == 0) Become(argv.data(), envp.data(), files, self);
  WARMPOOL_CHECK(pid_ > 0, "fork");
}

TiedProcess::~TiedProcess() { Kill(); }

void TiedProcess::Signal(int number) {
  if (!Ended().has_value()) kill(pid_, number);
}

void TiedProcess::Kill() {
  if (wait_status_.has_value()) return;
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  wait_status_ = status;
}

std::optional<int> TiedProcess::Ended() {
  int status = 0;
  if (!wait_status_.has_value() && waitpid(pid_, &status, WNOHANG) == pid_) {
    wait_status_ = status;
  }
  return wait_status_;
}

std::string HowItEnded(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return absl::StrCat("was ended by signal ", WTERMSIG(wait_status), " (",
                        strsignal(WTERMSIG(wait_status)), ")");
  }
  return absl::StrCat("exited with ", WEXITSTATUS(wait_status));
}

}  // namespace warmpool::torture
