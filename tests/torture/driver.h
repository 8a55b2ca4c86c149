// Driver: runs the daemon and the clients, does to them what the plan says, and
// asks again and again whether everything fits together.
//
// Not thread-safe; main thread only. What is broken ends the run at once: the
// first breach is the one that tells most.
#ifndef WARMPOOL_TESTS_TORTURE_DRIVER_H_
#define WARMPOOL_TESTS_TORTURE_DRIVER_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/torture/command_input.h"
#include "tests/torture/crew.h"
#include "tests/torture/daemon_control.h"
#include "tests/torture/filler.h"
#include "tests/torture/model/model.h"
#include "tests/torture/model/timeline.h"
#include "tests/torture/plan.h"
#include "tests/torture/sabotage.h"
#include "tests/torture/saboteur.h"

namespace warmpool::torture {

class Driver {
 public:
  struct Options {
    absl::Duration run_for = {};
    int clients = 0;
    // Clients seal buffers, and give them to each other.
    bool hand_over = false;
    uint64_t seed = 0;
    Plan::Options plan = {};
    // How long the driver may leave the pipes of its clients alone, as on a
    // machine with much to do.
    absl::Duration lag = {};
    // What is to be noticed.
    Sabotage sabotage = Sabotage::kNone;
    DaemonControl::Options daemon = {};
    // Of the filesystem that is to be filled.
    std::string filler_path = {};
    // This program.
    std::string program = {};
    // Called again and again during the run, on the same thread.
    std::function<void(const Driver&)> on_turn = nullptr;
  };

  struct Counts {
    uint64_t daemon_kills = 0;
    uint64_t daemon_failpoints = 0;
    uint64_t daemon_terms = 0;
    uint64_t client_kills = 0;
    uint64_t client_stops = 0;
    uint64_t fills = 0;
    uint64_t checks = 0;
    // Compared with the model.
    uint64_t snapshots = 0;
    // Reports judged, and entries that the model remembers, at most.
    uint64_t reports = 0;
    uint64_t most_remembered = 0;
    // Without a look at the clients' pipes, at most.
    absl::Duration longest_blindness = {};
    // From a client's death to the moment that it had no lease, at most.
    absl::Duration longest_death = {};
  };

  // `interrupted` ends the run when it becomes true.
  Driver(Options options, const std::atomic<bool>* interrupted);
  // Kills whatever was started, and waits for it.
  ~Driver();

  // ABORTED: a breach. CANCELLED: interrupted.
  absl::Status Run();

  const Counts& counts() const { return counts_; }
  const Model::Counts& model_counts() const { return model_.counts(); }
  absl::Duration longest_daemon_start() const {
    return daemon_.longest_start();
  }
  // What happened last, a line each.
  std::string LastEvents() const;
  std::string DaemonLog() const { return daemon_.LogTail(); }

 private:
  // A client that was killed and may still have leases.
  struct Death {
    int client = 0;
    pid_t pid = 0;
    absl::Time at = {};
  };

  absl::Status RunPlan();
  absl::Status Finish();
  absl::Status Do(const Plan::Event& event);
  void StartClient();
  void KillClient(int client);
  void StopClient(int client, absl::Duration span);
  void ContinueClient(int client);
  absl::Status StartDaemon(uint64_t failpoint);
  absl::Status RestartDaemon(const Plan::Event& event);
  // Somebody that may be stopped or killed; nullopt if there is none.
  std::optional<int> Victim(uint64_t draw) const;

  // Reads reports for up to `span` and does what is due.
  absl::Status Pass(absl::Duration span);
  absl::Status DoWhatIsDue();
  absl::Status CheckProcesses();
  absl::Status CheckDeaths();
  // Reads what there is to read by then, and tells the model what is certain.
  void ReadReports(absl::Duration span);
  void OnReport(int client, const Report& report);
  // Tells others of a buffer that they may attach to, or of a ticket.
  void Relay(int client, const Report& report);
  void Offer(int client, const Command& command);

  // Makes all clients pause, and checks until everything fits together or has
  // not for too long.
  absl::Status CheckEverything();
  absl::Status PauseClients();
  absl::Status AwaitConsistency();
  absl::Status AwaitClientsEnd();
  absl::Status AwaitForksEnd();
  // Until the daemon has no lease, ticket or lingering buffer any more.
  absl::Status AwaitNoLease();
  // Until whatever is to be ended has ended.
  absl::Status AwaitNoBatch();
  absl::Status CheckNothingLeft();
  void ReapOrphans();

  void Note(const std::string& event);

  const Options options_;
  const std::atomic<bool>& interrupted_;
  Plan plan_;
  // Apart from the plan's, as it is drawn from whenever a report comes.
  std::mt19937_64 relay_random_;
  Timeline timeline_;
  Model model_;
  Filler filler_;
  Saboteur saboteur_;
  std::deque<std::string> last_events_;
  // The first of the reports.
  std::optional<std::string> breach_;
  Counts counts_;

  // By client: when to continue it.
  std::map<int, absl::Time> stopped_;
  // By client: the last pause that it told of.
  std::map<int, uint64_t> paused_;
  uint64_t last_pause_ = 0;
  bool checking_ = false;
  bool finishing_ = false;
  std::vector<Death> deaths_;
  // When to free a full filesystem.
  absl::Time fill_ends_;
  absl::Time last_read_ = absl::InfiniteFuture();
  absl::Time next_look_ = absl::InfinitePast();
  absl::Time daemon_up_ = absl::InfinitePast();

  // Last, so that they end first: their callbacks use the rest.
  DaemonControl daemon_;
  Crew crew_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_DRIVER_H_
