// Driver's checks of everything at once, and of what is left at the end.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/clock.h"
#include "tests/torture/driver.h"
#include "tests/torture/model/snapshot_source.h"

namespace warmpool::torture {
namespace {

// A call's deadline in a client, and as much again.
constexpr absl::Duration kLongestPause = absl::Seconds(20);
// Without an answer to a snapshot.
constexpr absl::Duration kLongestSilence = absl::Seconds(10);
// Forked children keep a mapping for less than two.
constexpr absl::Duration kLongestFork = absl::Seconds(5);
// No ticket is good for longer than three seconds, and nothing lingers for so
// long; a daemon that restarts begins anew.
constexpr absl::Duration kLongestKept = absl::Seconds(6);
// Files are closed on a thread that gives way to all others.
constexpr absl::Duration kLongestBatch = absl::Seconds(20);
constexpr absl::Duration kBetweenSnapshots = absl::Milliseconds(20);

absl::Time Now() { return MonotonicClock::Get().Now(); }

absl::Status Breach(absl::string_view what) { return absl::AbortedError(what); }

}  // namespace

absl::Status Driver::CheckEverything() {
  checking_ = true;
  absl::Status status = PauseClients();
  if (status.ok()) status = AwaitConsistency();
  if (status.ok()) saboteur_.OnPause();
  checking_ = false;
  if (!status.ok()) return status;
  ++counts_.checks;
  ReapOrphans();
  const std::string resume = Command{.kind = Command::Kind::kResume}.ToLine();
  for (const int client : crew_.running()) {
    if (!stopped_.contains(client)) crew_.Send(client, resume);
  }
  return absl::OkStatus();
}

absl::Status Driver::PauseClients() {
  const uint64_t pause = ++last_pause_;
  const std::string command =
      Command{.kind = Command::Kind::kPause, .number = pause}.ToLine();
  Note(absl::StrCat("pause ", pause));
  for (const int client : crew_.running()) {
    if (!stopped_.contains(client)) crew_.Send(client, command);
  }
  const absl::Time begin = Now();
  for (;;) {
    const absl::Status status = Pass(absl::ZeroDuration());
    if (!status.ok()) return status;
    std::optional<int> missing;
    for (const int client : crew_.running()) {
      if (!stopped_.contains(client) && paused_[client] != pause) {
        missing = client;
      }
    }
    if (!missing.has_value()) return absl::OkStatus();
    if (Now() - begin > kLongestPause) {
      return Breach(absl::StrCat("client ", *missing, " hangs: it does not ",
                                 "pause within ",
                                 absl::FormatDuration(kLongestPause)));
    }
    ReadReports(absl::Milliseconds(5));
  }
}

absl::Status Driver::AwaitConsistency() {
  // By key: since when each problem has been there without a break.
  std::map<std::string, absl::Time> since;
  absl::Time answered = Now();
  for (;;) {
    const absl::Status status = Pass(absl::ZeroDuration());
    if (!status.ok()) return status;
    const absl::Time asked = Now();
    const absl::StatusOr<Snapshot> snapshot =
        TakeSnapshot(daemon_.admin(), daemon_.pid(), options_.daemon.shm_dir);
    if (!snapshot.ok()) {
      if (Now() - std::max(answered, daemon_up_) > kLongestSilence) {
        return Breach(absl::StrCat("the daemon does not answer: ",
                                   snapshot.status().ToString()));
      }
      continue;
    }
    answered = asked;
    ++counts_.snapshots;
    std::map<std::string, absl::Time> since_before = std::exchange(since, {});
    for (const Model::Problem& problem : model_.Problems(*snapshot, asked)) {
      const auto before = since_before.find(problem.key);
      const absl::Time begin =
          before == since_before.end() ? asked : before->second;
      since[problem.key] = begin;
      // What is not as it should be may have begun with the daemon.
      const absl::Duration lasts = asked - std::max(begin, daemon_up_);
      if (lasts <= problem.patience) continue;
      return Breach(absl::StrCat("for ", absl::FormatDuration(lasts), ": ",
                                 problem.what));
    }
    if (since.empty()) {
      model_.Prune(*snapshot, asked);
      counts_.most_remembered =
          std::max<uint64_t>(counts_.most_remembered, model_.remembered());
      return absl::OkStatus();
    }
    ReadReports(kBetweenSnapshots);
  }
}

absl::Status Driver::Finish() {
  finishing_ = true;
  Note("all clients are to end");
  filler_.Free();
  for (const auto& [client, at] : std::exchange(stopped_, {})) {
    ContinueClient(client);
  }
  const std::string quit = Command{.kind = Command::Kind::kQuit}.ToLine();
  for (const int client : crew_.running()) crew_.Send(client, quit);
  absl::Status status = AwaitClientsEnd();
  if (status.ok()) status = AwaitForksEnd();
  if (status.ok()) status = AwaitConsistency();
  if (status.ok()) status = AwaitNoLease();
  if (status.ok()) status = AwaitNoBatch();
  if (status.ok()) status = AwaitConsistency();
  if (!status.ok()) return status;
  ++counts_.checks;
  Note("the daemon is told to stop for good");
  status = daemon_.Terminate();
  if (!status.ok()) return status;
  return CheckNothingLeft();
}

absl::Status Driver::AwaitClientsEnd() {
  const absl::Time begin = Now();
  while (!crew_.running().empty()) {
    const absl::Status status = Pass(absl::Milliseconds(5));
    if (!status.ok()) return status;
    if (Now() - begin > kLongestPause) {
      return Breach(absl::StrCat("client ", crew_.running().front(),
                                 " does not end within ",
                                 absl::FormatDuration(kLongestPause)));
    }
  }
  return absl::OkStatus();
}

absl::Status Driver::AwaitForksEnd() {
  const absl::Time begin = Now();
  for (;;) {
    ReapOrphans();
    // The daemon is one of them.
    if (Descendants().size() <= 1) return absl::OkStatus();
    if (Now() - begin > kLongestFork) {
      return Breach("forked children of clients do not end");
    }
    const absl::Status status = Pass(absl::Milliseconds(5));
    if (!status.ok()) return status;
  }
}

absl::Status Driver::AwaitNoLease() {
  const absl::Time begin = Now();
  for (;;) {
    const absl::Status status = Pass(kBetweenSnapshots);
    if (!status.ok()) return status;
    const auto leases = ListLeases(daemon_.admin());
    if (leases.ok() && leases->empty()) return absl::OkStatus();
    if (Now() - std::max(begin, daemon_up_) > kLongestKept) {
      return Breach(absl::StrCat("without clients, the daemon still has ",
                                 leases.ok()
                                     ? absl::StrCat("a lease of generation ",
                                                    leases->front().generation)
                                     : leases.status().ToString()));
    }
  }
}

absl::Status Driver::AwaitNoBatch() {
  const absl::Time begin = Now();
  for (;;) {
    const absl::Status status = Pass(kBetweenSnapshots);
    if (!status.ok()) return status;
    const absl::StatusOr<v1::GetStatsResponse> stats =
        daemon_.admin().GetStats();
    if (stats.ok() && stats->bytes().batched_bytes() == 0) {
      return absl::OkStatus();
    }
    if (Now() - begin > kLongestBatch) {
      return Breach(absl::StrCat("what waits to be ended does not end within ",
                                 absl::FormatDuration(kLongestBatch)));
    }
  }
}

void Driver::ReapOrphans() {
  // Clients and the daemon are waited for where they are known.
  siginfo_t ended{};
  while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid != 0) {
    const bool ours = daemon_.pid() == ended.si_pid || crew_.Has(ended.si_pid);
    if (ours) return;
    waitpid(ended.si_pid, nullptr, 0);
  }
}

absl::Status Driver::CheckNothingLeft() {
  std::error_code gone;
  std::vector<std::string> left;
  bool keeps_damaged = false;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           options_.daemon.shm_dir, gone)) {
    left.push_back(entry.path().string());
    keeps_damaged |= entry.path().filename() == "journal.damaged";
  }
  // A record that a failpoint tore is damage, of which a copy is kept; with it
  // its directory, and the mark in that.
  if (left.empty() || (keeps_damaged && left.size() == 3)) {
    return absl::OkStatus();
  }
  return Breach(
      absl::StrCat(absl::StrJoin(left, ", "), " left though no lease was"));
}

}  // namespace warmpool::torture
