#include "client/load/process_crew.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/load/load_flags.h"

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

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessCrew>> ProcessCrew::Spawn(int clients,
                                                                char** argv) {
  // A client that died must not take this process with it.
  signal(SIGPIPE, SIG_IGN);
  // The first after the name, where no "--" can come before it.
  std::vector<std::string> arguments = {argv[0], ""};
  for (char** argument = argv + 1; *argument != nullptr; ++argument) {
    arguments.emplace_back(*argument);
  }
  std::unique_ptr<ProcessCrew> crew(new ProcessCrew());
  for (int i = 0; i < clients; ++i) {
    arguments[1] = absl::StrCat("--", kClientProcessFlag, "=", i);
    const absl::Status status = crew->SpawnOne(arguments);
    if (!status.ok()) return status;
  }
  return crew;
}

absl::Status ProcessCrew::SpawnOne(const std::vector<std::string>& arguments) {
  Pipe control;
  Pipe events;
  if (control.error != 0 || events.error != 0) {
    return absl::ErrnoToStatus(std::max(control.error, events.error),
                               "no pipe for another client process");
  }
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, control.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, events.ends[1], STDOUT_FILENO);
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
  pid_t pid = -1;
  const int error = posix_spawn(&pid, "/proc/self/exe", &files, &attributes,
                                argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return absl::ErrnoToStatus(error, "can't start a client process");
  }
  Child& child = children_.emplace_back();
  child.pid = pid;
  child.control = std::exchange(control.ends[1], -1);
  child.events = std::exchange(events.ends[0], -1);
  return absl::OkStatus();
}

ProcessCrew::~ProcessCrew() {
  Stop();
  while (!WaitDone(absl::Seconds(1))) continue;
}

void ProcessCrew::ReadEvents(absl::Duration timeout) {
  std::vector<pollfd> polled;
  for (const Child& child : children_) {
    // poll(2) passes over the negative ones.
    polled.push_back({.fd = child.events, .events = POLLIN, .revents = 0});
  }
  if (poll(polled.data(), polled.size(),
           static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0) {
    return;
  }
  for (size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0) ReadFrom(children_[i]);
  }
}

void ProcessCrew::ReadFrom(Child& child) {
  char bytes[16 * 1024];
  const ssize_t count = read(child.events, bytes, sizeof(bytes));
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) return Reap(child);
  child.parser.Append({bytes, static_cast<size_t>(count)});
  while (const auto event = child.parser.Next()) Handle(child, *event);
}

void ProcessCrew::Handle(Child& child, const load::ClientEvent& event) {
  switch (event.event_case()) {
    case load::ClientEvent::kReady:
      child.ready = true;
      break;
    case load::ClientEvent::kProgress:
      child.progress = event.progress().leases();
      break;
    case load::ClientEvent::kMeasurement:
      measured_.Merge(FromParts(event.measurement()));
      child.measured = true;
      break;
    case load::ClientEvent::EVENT_NOT_SET:
      break;
  }
}

void ProcessCrew::Reap(Child& child) {
  CloseIfOpen(child.events);
  CloseIfOpen(child.control);
  int wait_status = 0;
  while (waitpid(child.pid, &wait_status, 0) < 0 && errno == EINTR) continue;
  if (child.measured) return;
  measured_.RecordFailure(Operation::kProcess,
                          absl::AbortedError(absl::StrCat(
                              "client process ", child.pid, " ",
                              HowItEnded(wait_status), " without a result")));
}

bool ProcessCrew::WaitReady(absl::Duration timeout) {
  ReadEvents(timeout);
  return std::all_of(
      children_.begin(), children_.end(),
      [](const Child& child) { return child.ready || child.events < 0; });
}

void ProcessCrew::Start() {
  for (const Child& child : children_) {
    const char start = 's';
    // If that fails, the process has ended, and its end of the events tells.
    if (child.control >= 0) (void)!write(child.control, &start, 1);
  }
}

bool ProcessCrew::WaitDone(absl::Duration timeout) {
  ReadEvents(timeout);
  return std::all_of(children_.begin(), children_.end(),
                     [](const Child& child) { return child.events < 0; });
}

uint64_t ProcessCrew::progress() const {
  uint64_t sum = 0;
  for (const Child& child : children_) sum += child.progress;
  return sum;
}

void ProcessCrew::Stop() {
  for (Child& child : children_) CloseIfOpen(child.control);
}

}  // namespace warmpool
