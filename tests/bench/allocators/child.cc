#include "tests/bench/allocators/child.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace warmpool::bench {
namespace {

// Where the child writes its result; standard output stays a person's.
constexpr int kResultFd = 3;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) {
    pointers.push_back(const_cast<char*>(string.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::string ReadAll(int fd) {
  std::string all;
  char part[4096];
  for (ssize_t got; (got = read(fd, part, sizeof(part))) != 0;) {
    if (got > 0) all.append(part, static_cast<size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  return all;
}

}  // namespace

absl::StatusOr<Result> RunInChild(const Arm& arm,
                                  const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return absl::ErrnoToStatus(errno, "pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], kResultFd);

  std::vector<std::string> environment = arm.environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.push_back(*variable);
  }
  std::vector<std::string> command = {"/proc/self/exe"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back(absl::StrCat("--child_arm=", arm.name));
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, command[0].c_str(), &actions, nullptr,
                  Pointers(command).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return absl::ErrnoToStatus(error, "can't run a child process");
  }
  const std::string bytes = ReadAll(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  Result result;
  if (status != 0 || !result.ParseFromString(bytes)) {
    return absl::InternalError(absl::StrCat("the child ended with status ",
                                            status, bytes.empty() ? "" : ": ",
                                            bytes));
  }
  return result;
}

absl::Status CheckPreloaded(const Arm& arm) {
  if (arm.symbol.empty() || dlsym(RTLD_DEFAULT, arm.symbol.c_str())) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      arm.name, " can't be loaded: apt-get install ", arm.package));
}

void WriteResult(const Result& result) {
  result.SerializeToFileDescriptor(kResultFd);
}

}  // namespace warmpool::bench
