// Torture: whether Warmpool keeps what it promises while its clients and the
// daemon are killed, stopped and starved.
//
//   torture --seconds=60 --clients=8 --kill_clients --kill_server
//           --stop_clients --enospc --hand_over --failpoints --seed=1
//
// With --sabotage it breaks a promise on purpose, and has to notice.
//
//   torture --seconds=60 --hostile_uid=65534 --seed=1
//
// Instead, processes of one user do everything hostile that they can, while
// those of another work, who must not notice (hostile_driver.h). Takes root.
//
// Exit codes: 0 all promises kept, 1 a breach, 2 it can't run, 130 interrupted.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/tool/output.h"
#include "core/base/clock.h"
#include "tests/core/memory/small_tmpfs.h"
#include "tests/support/runfile.h"
#include "tests/torture/driver.h"
#include "tests/torture/hostile/hostile_main.h"
#include "tests/torture/sabotage.h"
#include "tests/torture/summary.h"
#include "tests/torture/torture_client.h"

ABSL_FLAG(int, seconds, 20, "How long to go on; the last checks take longer");
ABSL_FLAG(int, clients, 6, "Client processes at a time");
ABSL_FLAG(bool, kill_clients, false, "kill -9 clients");
ABSL_FLAG(bool, stop_clients, false,
          "SIGSTOP clients, for shorter and for longer than leases live");
ABSL_FLAG(bool, kill_server, false,
          "kill -9 the daemon, and restart it by SIGTERM");
ABSL_FLAG(bool, enospc, false,
          "Fill the filesystem of the segments; needs one of its own, so root "
          "or user namespaces");
ABSL_FLAG(bool, hand_over, false,
          "Clients seal buffers for others to read, and give them away by "
          "tickets");
ABSL_FLAG(bool, failpoints, false,
          "With --kill_server: let daemons kill themselves at numbered calls "
          "(WARMPOOL_FAILPOINT)");
ABSL_FLAG(absl::Duration, lag, absl::ZeroDuration(),
          "Leave the clients' reports unread for up to so long, now and then: "
          "on a machine with much to do it happens by itself");
ABSL_FLAG(std::string, sabotage, "",
          "Break a promise on purpose, which is to be noticed: double_grant, "
          "leaked_file, no_pages, deaf_daemon, no_journal, lost_lease, "
          "changed_seal, kept_memory, old_journal");
ABSL_FLAG(uint64_t, seed, 0,
          "The same seed makes the same decisions; 0: one is drawn");
ABSL_FLAG(
    std::string, daemon, "",
    "The daemon's program. Default: the real one, built with this one, or "
    "with --failpoints the one that heeds them");
ABSL_FLAG(bool, json, false, "Print the counts as a JSON object");

// Given by the driver to its clients.
ABSL_FLAG(int, client, -1, "Be this client, on standard input and output");
ABSL_FLAG(std::string, target, "", "The daemon's, for clients");

namespace warmpool::torture {
namespace {

std::atomic<bool> interrupted = false;

void WatchSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A client that was killed reads no commands.
  signal(SIGPIPE, SIG_IGN);
}

// One that heeds failpoints, or breaks a promise, if that is wanted.
std::string FindDaemon(Sabotage sabotage) {
  const std::string given = absl::GetFlag(FLAGS_daemon);
  if (!given.empty()) return given;
  const bool plain = !absl::GetFlag(FLAGS_failpoints) && !IsByDaemon(sabotage);
  return testing::Runfile(plain ? "server/warmpoold"
                                : "tests/torture/failpoint_daemon");
}

// What the clients can hold, but not all of it and what is kept warm. Tickets
// and what lingers take room besides.
uint64_t CapacityFor(int clients) {
  const uint64_t each = absl::GetFlag(FLAGS_hand_over) ? 12 << 20 : 8 << 20;
  return (uint64_t{16} << 20) + static_cast<uint64_t>(clients) * each;
}

// Says every now and then how far a driver is: long runs are watched.
class Progress {
 public:
  void operator()(const Driver& driver) {
    const absl::Time now = MonotonicClock::Get().Now();
    if (now < next_) return;
    next_ += kEvery;
    const Driver::Counts& counts = driver.counts();
    const Model::Counts& model = driver.model_counts();
    std::cerr << "torture: " << absl::ToInt64Seconds(now - begin_)
              << " s, kills " << counts.daemon_kills << " of daemons and "
              << counts.client_kills << " of clients, leases " << model.leases
              << ", bytes checked " << model.bytes_checked << std::endl;
  }

 private:
  static constexpr absl::Duration kEvery = absl::Seconds(10);

  const absl::Time begin_ = MonotonicClock::Get().Now();
  absl::Time next_ = begin_ + kEvery;
};

Driver::Options MakeOptions(const SmallTmpfs& tmpfs, Sabotage sabotage) {
  Driver::Options options;
  options.run_for = absl::Seconds(absl::GetFlag(FLAGS_seconds));
  options.clients = absl::GetFlag(FLAGS_clients);
  options.hand_over = absl::GetFlag(FLAGS_hand_over);
  options.seed = absl::GetFlag(FLAGS_seed);
  if (options.seed == 0) options.seed = std::random_device()();
  options.plan = {.kill_clients = absl::GetFlag(FLAGS_kill_clients),
                  .stop_clients = absl::GetFlag(FLAGS_stop_clients),
                  .kill_server = absl::GetFlag(FLAGS_kill_server),
                  .fill = absl::GetFlag(FLAGS_enospc),
                  .failpoints = absl::GetFlag(FLAGS_failpoints)};
  const std::filesystem::path root(tmpfs.Join("root"));
  options.lag = absl::GetFlag(FLAGS_lag);
  options.sabotage = sabotage;
  options.daemon = {.path = FindDaemon(sabotage),
                    // Not on the filesystem that is filled.
                    .directory = root.parent_path().parent_path().string(),
                    .shm_dir = tmpfs.Join("pool"),
                    .capacity_bytes = CapacityFor(options.clients),
                    .sabotage = sabotage};
  options.filler_path = tmpfs.Join("filler");
  options.program = testing::ThisProgram();
  options.on_turn = Progress();
  return options;
}

std::string CommandToRepeat(uint64_t seed) {
  std::string command =
      absl::StrCat("bazel-bin/tests/torture/torture --seconds=",
                   absl::GetFlag(FLAGS_seconds),
                   " --clients=", absl::GetFlag(FLAGS_clients));
  const std::pair<const char*, bool> switches[] = {
      {" --kill_clients", absl::GetFlag(FLAGS_kill_clients)},
      {" --kill_server", absl::GetFlag(FLAGS_kill_server)},
      {" --stop_clients", absl::GetFlag(FLAGS_stop_clients)},
      {" --enospc", absl::GetFlag(FLAGS_enospc)},
      {" --hand_over", absl::GetFlag(FLAGS_hand_over)},
      {" --failpoints", absl::GetFlag(FLAGS_failpoints)}};
  for (const auto& [name, given] : switches) {
    if (given) absl::StrAppend(&command, name);
  }
  if (const absl::Duration lag = absl::GetFlag(FLAGS_lag);
      lag != absl::ZeroDuration()) {
    absl::StrAppend(&command, " --lag=", absl::FormatDuration(lag));
  }
  if (const std::string sabotage = absl::GetFlag(FLAGS_sabotage);
      !sabotage.empty()) {
    absl::StrAppend(&command, " --sabotage=", sabotage);
  }
  return absl::StrCat(command, " --seed=", seed);
}

int Conclude(const Summary& summary, const Driver& driver) {
  const bool json = absl::GetFlag(FLAGS_json);
  std::ostream& text = json ? std::cerr : std::cout;
  if (absl::IsAborted(summary.status)) {
    text << "--- last events\n"
         << driver.LastEvents() << "\n--- the daemon's log\n"
         << driver.DaemonLog() << "---\n";
  }
  if (json) std::cout << ToJson(summary) << std::endl;
  text << ToText(summary) << std::endl;
  const std::string command = CommandToRepeat(summary.seed);
  if (summary.status.ok()) {
    text << "torture: ok, " << command << std::endl;
    return 0;
  }
  if (absl::IsCancelled(summary.status)) {
    text << "torture: interrupted" << std::endl;
    return 130;
  }
  text << "torture: breach: " << summary.status.message()
       << "\ntorture: to repeat it: " << command << std::endl;
  return 1;
}

int Drive() {
  WatchSignals();
  const SmallTmpfs tmpfs(absl::StrCat(
      "size=",
      CapacityFor(absl::GetFlag(FLAGS_clients)) + (uint64_t{8} << 20)));
  if (absl::GetFlag(FLAGS_enospc) && !tmpfs.problem().empty()) {
    std::cerr << "torture: --enospc: " << tmpfs.problem() << std::endl;
    return 2;
  }
  const std::string sabotage = absl::GetFlag(FLAGS_sabotage);
  if (!sabotage.empty() && !SabotageNamed(sabotage).has_value()) {
    std::cerr << "torture: no sabotage \"" << sabotage
              << "\": " << SabotageNames() << std::endl;
    return 2;
  }
  const Driver::Options options =
      MakeOptions(tmpfs, SabotageNamed(sabotage).value_or(Sabotage::kNone));
  if (access(options.daemon.path.c_str(), X_OK) < 0) {
    std::cerr << "torture: no daemon at " << options.daemon.path
              << ": build //server:warmpoold or give --daemon" << std::endl;
    return 2;
  }
  std::cerr << "torture: seed " << options.seed << std::endl;
  Driver driver(options, &interrupted);
  const absl::Time begin = MonotonicClock::Get().Now();
  Summary summary;
  summary.status = driver.Run();
  summary.seed = options.seed;
  summary.ran_for = MonotonicClock::Get().Now() - begin;
  summary.driver = driver.counts();
  summary.model = driver.model_counts();
  summary.longest_daemon_start = driver.longest_daemon_start();
  return Conclude(summary, driver);
}

// Also in the roles of the processes that this is started with.
int Hostile() {
  WatchSignals();
  return HostileMain({.run_for = absl::Seconds(absl::GetFlag(FLAGS_seconds)),
                      .seed = absl::GetFlag(FLAGS_seed),
                      .daemon_path = FindDaemon(Sabotage::kNone),
                      .target = absl::GetFlag(FLAGS_target)},
                     &interrupted);
}

int Main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Kills, stops and starves a daemon's clients and the daemon, and checks "
      "from outside that no lease is lost and no page shared. With "
      "--hostile_uid, lets one user attack the daemon, and checks that another "
      "does not suffer.");
  absl::ParseCommandLine(argc, argv);
  if (IsHostile()) return Hostile();
  const int client = absl::GetFlag(FLAGS_client);
  if (client < 0) return Drive();
  return TortureClient(
             absl::GetFlag(FLAGS_target), client, absl::GetFlag(FLAGS_seed),
             absl::GetFlag(FLAGS_hand_over), STDIN_FILENO, STDOUT_FILENO)
      .Run();
}

}  // namespace
}  // namespace warmpool::torture

int main(int argc, char** argv) {
  warmpool::GuardOutput("torture");
  return warmpool::torture::Main(argc, argv);
}
