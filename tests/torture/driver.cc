#include "tests/torture/driver.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/clock.h"
#include "tests/torture/model/snapshot_source.h"

namespace warmpool::torture {
namespace {

constexpr size_t kEventsKept = 1000;
constexpr int kEventsPerCheck = 12;
constexpr absl::Duration kTurn = absl::Milliseconds(5);
// Between looks at the leases of the dead.
constexpr absl::Duration kLookPause = absl::Milliseconds(50);

absl::Time Now() { return MonotonicClock::Get().Now(); }

absl::Status Breach(absl::string_view what) { return absl::AbortedError(what); }

std::vector<std::string> ClientArguments(const Driver::Options& options,
                                         const std::string& target) {
  return {options.program, absl::StrCat("--target=", target),
          absl::StrCat("--seed=", options.seed),
          absl::StrCat("--hand_over=", options.hand_over ? "true" : "false")};
}

}  // namespace

Driver::Driver(Options options, const std::atomic<bool>* interrupted)
    : options_(std::move(options)),
      interrupted_(*interrupted),
      plan_(options_.seed, options_.plan),
      relay_random_(options_.seed),
      filler_(options_.filler_path),
      saboteur_(options_.sabotage, options_.daemon.shm_dir),
      daemon_(options_.daemon, [this] { ReadReports(kTurn); }),
      crew_(ClientArguments(options_, daemon_.target()), options_.lag,
            [this](int client, const Report& report) {
              OnReport(client, report);
            }) {
  // Children whose parent was killed become this process's.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Driver::~Driver() {
  for (const int client : crew_.running()) crew_.Kill(client);
  for (std::vector<pid_t> left; !(left = Descendants()).empty();) {
    for (const pid_t pid : left) {
      if (pid == daemon_.pid()) {
        daemon_.Kill();
      } else {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
      }
    }
  }
}

absl::Status Driver::Run() {
  absl::Status status = StartDaemon(0);
  for (int i = 0; i < options_.clients; ++i) StartClient();
  if (status.ok()) status = RunPlan();
  if (status.ok()) status = Finish();
  return status;
}

absl::Status Driver::RunPlan() {
  const absl::Time end = Now() + options_.run_for;
  for (int events = 1; Now() < end; ++events) {
    const Plan::Event event = plan_.Next();
    absl::Status status = Pass(event.after);
    if (status.ok()) status = Do(event);
    if (status.ok() && events % kEventsPerCheck == 0) {
      status = CheckEverything();
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Driver::Do(const Plan::Event& event) {
  const std::optional<int> victim = Victim(event.victim);
  switch (event.action) {
    case Plan::Action::kNothing: break;
    case Plan::Action::kKillClient:
      if (!victim.has_value()) break;
      KillClient(*victim);
      StartClient();
      break;
    case Plan::Action::kStopClient:
      if (victim.has_value()) StopClient(*victim, event.span);
      break;
    case Plan::Action::kKillServer:
    case Plan::Action::kTerminateServer: return RestartDaemon(event);
    case Plan::Action::kFill:
      if (!filler_.full()) {
        Note("the filesystem is filled");
        ++counts_.fills;
        fill_ends_ = Now() + event.span;
      }
      filler_.Fill();
      break;
  }
  return absl::OkStatus();
}

void Driver::StartClient() {
  const int client = crew_.Start();
  model_.OnClientStarted(client, crew_.pid(client));
  Note(absl::StrCat("client ", client, " starts, pid ", crew_.pid(client)));
}

void Driver::KillClient(int client) {
  Note(absl::StrCat("client ", client, " is killed"));
  ++counts_.client_kills;
  saboteur_.BeforeKill(client);
  const absl::Time now = Now();
  crew_.Kill(client);
  stopped_.erase(client);
  paused_.erase(client);
  timeline_.AddEnd(client, now);
  deaths_.push_back({client, crew_.pid(client), now});
}

void Driver::StopClient(int client, absl::Duration span) {
  if (stopped_.contains(client)) return;
  Note(absl::StrCat("client ", client, " is stopped for ",
                    absl::FormatDuration(span)));
  ++counts_.client_stops;
  model_.OnClientStopped(client, Now());
  crew_.Signal(client, SIGSTOP);
  stopped_[client] = Now() + span;
}

void Driver::ContinueClient(int client) {
  Note(absl::StrCat("client ", client, " continues"));
  crew_.Signal(client, SIGCONT);
  model_.OnClientContinued(client, Now());
}

std::optional<int> Driver::Victim(uint64_t draw) const {
  const std::vector<int> running = crew_.running();
  if (running.empty()) return std::nullopt;
  return running[draw % running.size()];
}

absl::Status Driver::StartDaemon(uint64_t failpoint) {
  // One that killed itself is followed by one that does not.
  for (;; failpoint = 0) {
    const absl::Status status = daemon_.Start(failpoint);
    if (!status.ok()) return status;
    if (daemon_.running()) break;
    ++counts_.daemon_failpoints;
    Note(absl::StrCat("the daemon killed itself while starting, at call ",
                      failpoint));
  }
  daemon_up_ = Now();
  model_.OnDaemonUp(daemon_up_);
  Note(absl::StrCat("a daemon serves, pid ", daemon_.pid(), ", failpoint ",
                    failpoint));
  return absl::OkStatus();
}

absl::Status Driver::RestartDaemon(const Plan::Event& event) {
  if (event.action == Plan::Action::kKillServer) {
    Note("the daemon is killed");
    ++counts_.daemon_kills;
    daemon_.Kill();
  } else {
    Note("the daemon is told to stop");
    ++counts_.daemon_terms;
    const absl::Status status = daemon_.Terminate();
    if (!status.ok()) return status;
  }
  saboteur_.OnNoDaemon();
  const absl::Time start = Now() + event.span;
  while (Now() < start) ReadReports(kTurn);
  return StartDaemon(event.failpoint);
}

absl::Status Driver::Pass(absl::Duration span) {
  const absl::Time end = Now() + span;
  do {
    ReadReports(std::min(kTurn, span));
    const absl::Status status = DoWhatIsDue();
    if (!status.ok()) return status;
    if (options_.on_turn) options_.on_turn(*this);
  } while (Now() < end);
  return absl::OkStatus();
}

absl::Status Driver::DoWhatIsDue() {
  if (interrupted_) return absl::CancelledError("interrupted");
  if (breach_.has_value()) return Breach(*breach_);
  const absl::Status status = CheckProcesses();
  if (!status.ok()) return status;
  const absl::Time now = Now();
  if (filler_.full() && now >= fill_ends_) {
    Note("the filesystem is freed");
    filler_.Free();
  }
  // A check counts on stopped clients to stay so.
  for (auto at = stopped_.begin(); !checking_ && at != stopped_.end();) {
    if (at->second > now) {
      ++at;
      continue;
    }
    ContinueClient(at->first);
    at = stopped_.erase(at);
  }
  if (now < next_look_) return absl::OkStatus();
  next_look_ = now + kLookPause;
  return CheckDeaths();
}

absl::Status Driver::CheckProcesses() {
  if (!daemon_.running()) {
    if (!daemon_.killed_itself()) {
      return Breach(absl::StrCat("the daemon ", daemon_.HowItEnded()));
    }
    ++counts_.daemon_failpoints;
    Note("the daemon has killed itself");
    const absl::Status status = StartDaemon(0);
    if (!status.ok()) return status;
  }
  for (const int client : crew_.running()) {
    const std::optional<int> ended = crew_.Ended(client);
    if (!ended.has_value()) continue;
    if (!finishing_ || *ended != 0) {
      return Breach(absl::StrCat("client ", client, " ", HowItEnded(*ended)));
    }
    timeline_.AddEnd(client, Now());
    deaths_.push_back({client, crew_.pid(client), Now()});
  }
  return absl::OkStatus();
}

absl::Status Driver::CheckDeaths() {
  if (deaths_.empty()) return absl::OkStatus();
  const absl::Time asked = Now();
  const auto leases = ListLeases(daemon_.admin());
  // A daemon that is gone is noticed elsewhere.
  if (!leases.ok()) return absl::OkStatus();
  for (auto death = deaths_.begin(); death != deaths_.end();) {
    const auto left = std::find_if(
        leases->begin(), leases->end(),
        [&](const Snapshot::Lease& lease) { return lease.pid == death->pid; });
    const absl::Duration since = asked - std::max(death->at, daemon_up_);
    if (left == leases->end()) {
      counts_.longest_death = std::max(counts_.longest_death, since);
      death = deaths_.erase(death);
    } else if (since > Model::kSlack) {
      return Breach(absl::StrCat("client ", death->client, " (pid ", death->pid,
                                 ") died ", absl::FormatDuration(since),
                                 " ago and still has lease ",
                                 left->id.ToHex()));
    } else {
      ++death;
    }
  }
  return absl::OkStatus();
}

void Driver::Note(const std::string& event) {
  last_events_.push_back(absl::StrCat(absl::ToUnixMicros(Now()), " ", event));
  if (last_events_.size() > kEventsKept) last_events_.pop_front();
}

std::string Driver::LastEvents() const {
  return absl::StrJoin(last_events_, "\n");
}

}  // namespace warmpool::torture
