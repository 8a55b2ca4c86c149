#include "tests/torture/crew.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/check.h"
#include "core/base/clock.h"

namespace warmpool::torture {
namespace {

constexpr int kPipeBytes = 1 << 20;

struct Pipe {
  Pipe() {
    WARMPOOL_CHECK(pipe2(ends, O_CLOEXEC) == 0, "no pipe for a client");
    fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);
  }
  int ends[2];
};

}  // namespace

Crew::Crew(std::vector<std::string> arguments, absl::Duration lag,
           OnReport on_report)
    : arguments_(std::move(arguments)),
      lag_(lag),
      on_report_(std::move(on_report)) {}

Crew::~Crew() {
  for (auto& [number, member] : members_) {
    member.process->Kill();
    Close(member);
  }
}

void Crew::Close(Member& member) {
  close(member.commands);
  close(member.reports);
}

int Crew::Start() {
  const Pipe commands;
  const Pipe reports;
  fcntl(commands.ends[1], F_SETFL, O_NONBLOCK);
  fcntl(reports.ends[0], F_SETFL, O_NONBLOCK);
  const int number = next_number_++;
  std::vector<std::string> arguments = arguments_;
  arguments.push_back(absl::StrCat("--client=", number));
  Member& member = members_[number];
  member.process = std::make_unique<TiedProcess>(
      arguments,
      TiedProcess::Files{.input = commands.ends[0], .output = reports.ends[1]});
  member.commands = commands.ends[1];
  member.reports = reports.ends[0];
  close(commands.ends[0]);
  close(reports.ends[1]);
  return number;
}

void Crew::Kill(int client) {
  Member& member = members_.at(client);
  member.process->Kill();
  ReadToTheEnd(client, member);
}

void Crew::Signal(int client, int number) {
  members_.at(client).process->Signal(number);
}

std::optional<int> Crew::Ended(int client) {
  Member& member = members_.at(client);
  const std::optional<int> ended = member.process->Ended();
  if (ended.has_value() && member.running) {
    ReadToTheEnd(client, member);
  }
  return ended;
}

void Crew::ReadToTheEnd(int client, Member& member) {
  member.running = false;
  ReadFrom(client, member);
  // It may have been killed in the middle of a line. A forked child's begin
  // anew.
  member.unread.clear();
}

std::vector<int> Crew::running() const {
  std::vector<int> running;
  for (const auto& [number, member] : members_) {
    if (member.running) running.push_back(number);
  }
  return running;
}

bool Crew::Has(pid_t pid) const {
  return std::any_of(members_.begin(), members_.end(), [pid](const auto& item) {
    return item.second.process->pid() == pid;
  });
}

void Crew::Send(int client, const std::string& command) {
  const std::string line = command + "\n";
  // If nobody reads any more, the client has ended, which is noticed elsewhere.
  (void)!write(members_.at(client).commands, line.data(), line.size());
}

absl::Time Crew::Read(absl::Duration timeout) {
  std::vector<pollfd> polled;
  for (const auto& [number, member] : members_) {
    polled.push_back({.fd = member.reports, .events = POLLIN, .revents = 0});
  }
  poll(polled.data(), polled.size(),
       static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  const absl::Time begin = MonotonicClock::Get().Now();
  for (auto at = members_.begin(); at != members_.end();) {
    Lag();
    if (ReadFrom(at->first, at->second) || at->second.running) {
      ++at;
    } else {
      Close(at->second);
      at = members_.erase(at);
    }
  }
  return begin;
}

void Crew::Lag() {
  if (lag_ == absl::ZeroDuration() || lag_random_() % 16 != 0) return;
  absl::SleepFor(lag_ * (static_cast<double>(lag_random_() % 1000) / 1000));
}

bool Crew::ReadFrom(int client, Member& member) {
  char bytes[64 * 1024];
  for (;;) {
    const ssize_t count = read(member.reports, bytes, sizeof(bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return true;
    if (count == 0) return false;
    member.unread.append(bytes, static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end;
         (end = member.unread.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const absl::string_view line(member.unread.data() + begin, end - begin);
      const std::optional<Report> report = Report::FromLine(line);
      on_report_(client, report.value_or(Report{
                             .text = absl::StrCat("not a report: ", line)}));
    }
    member.unread.erase(0, begin);
  }
}

}  // namespace warmpool::torture
