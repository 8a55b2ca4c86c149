#include "client/load/self_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

void CloseIfOpen(int& fd) {
  if (fd >= 0) close(std::exchange(fd, -1));
}

// The two ends of a pipe, closed with this object unless taken.
struct Pipe {
  Pipe() { error = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }
  ~Pipe() {
    CloseIfOpen(ends[0]);
    CloseIfOpen(ends[1]);
  }

  int ends[2] = {-1, -1};
  int error = 0;
};

std::string HowItEnded(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return absl::StrCat("was ended by signal ", WTERMSIG(wait_status));
  }
  return absl::StrCat("exited with ", WEXITSTATUS(wait_status));
}

// Returns posix_spawn's error.
int Spawn(const std::vector<std::string>& arguments, int input, int output,
          pid_t* pid) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  // It decides by itself which signals it blocks.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  const int error = posix_spawn(pid, "/proc/self/exe", &files, &attributes,
                                argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

}  // namespace

absl::StatusOr<SelfProcess> SelfProcess::Start(const std::string& flag,
                                               char** argv) {
  // A child that died must not take this process with it.
  signal(SIGPIPE, SIG_IGN);
  // The first after the name, where no "--" can come before it.
  std::vector<std::string> arguments = {argv[0], flag};
  for (char** argument = argv + 1; *argument != nullptr; ++argument) {
    arguments.emplace_back(*argument);
  }
  Pipe control;
  Pipe events;
  if (control.error != 0 || events.error != 0) {
    return absl::ErrnoToStatus(std::max(control.error, events.error),
                               "no pipe for another client process");
  }
  pid_t pid = -1;
  const int error = Spawn(arguments, control.ends[0], events.ends[1], &pid);
  if (error != 0) {
    return absl::ErrnoToStatus(error, "can't start a client process");
  }
  return SelfProcess(pid, std::exchange(control.ends[1], -1),
                     std::exchange(events.ends[0], -1));
}

SelfProcess::~SelfProcess() {
  if (events_ < 0) return;
  Stop();
  FrameParser unheard;
  while (!Read(&unheard).has_value()) continue;
}

void SelfProcess::Go() {
  const char start = 's';
  // If that fails, the process has ended, and its end of the events tells.
  if (control_ >= 0) (void)!write(control_, &start, 1);
}

void SelfProcess::Stop() { CloseIfOpen(control_); }

std::optional<std::string> SelfProcess::Read(FrameParser* parser) {
  char bytes[16 * 1024];
  const ssize_t count = read(events_, bytes, sizeof(bytes));
  if (count < 0 && errno == EINTR) return std::nullopt;
  if (count <= 0) return Reap();
  parser->Append({bytes, static_cast<size_t>(count)});
  return std::nullopt;
}

std::string SelfProcess::Reap() {
  CloseIfOpen(events_);
  CloseIfOpen(control_);
  int wait_status = 0;
  while (waitpid(pid_, &wait_status, 0) < 0 && errno == EINTR) continue;
  return HowItEnded(wait_status);
}

}  // namespace warmpool
