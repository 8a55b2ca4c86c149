// HostileDriver: runs the daemon as root, well-behaved clients of one uid and
// hostile processes of another, and asserts for the former: nothing of theirs
// is refused, lost, changed or much slower. And that the daemon does not grow,
// and has nothing left in the end.
//
// Slices in which the hostile processes run alternate with quiet ones, in which
// they are stopped. Not thread-safe; main thread only, since the processes die
// with the thread that starts them.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_DRIVER_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_DRIVER_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/torture/daemon_control.h"
#include "tests/torture/hostile/bystander_report.h"
#include "tests/torture/hostile/hostile_client.h"
#include "tests/torture/hostile/member_process.h"
#include "tests/torture/hostile/slice_latencies.h"
#include "tests/torture/hostile/slices.h"

namespace warmpool::torture {

class HostileDriver {
 public:
  struct Options {
    absl::Duration run_for = {};
    uint64_t seed = 0;
    // Processes at a time.
    int attackers = 0;
    int bystanders = 0;
    SliceLatencies::Limits limits = {};
    // What the daemon may have more than before the first attack.
    uint64_t most_growth_bytes = 0;
    DaemonControl::Options daemon = {};
    // This program in these roles. A seed is added, and to an attacker's the
    // files of others.
    std::vector<std::string> attacker_arguments = {};
    std::vector<std::string> bystander_arguments = {};
    uid_t bystander_uid = 0;
    // Called again and again during the run, on the same thread.
    std::function<void(const HostileDriver&)> on_turn = nullptr;
  };

  struct AttackCounts {
    uint64_t begun = 0;
    // Of those that were not killed meanwhile.
    uint64_t requests = 0;
    uint64_t refusals = 0;
  };
  struct Counts {
    // By number.
    std::map<int, AttackCounts> attacks = {};
    uint64_t hostile_slices = 0;
    // Of attackers by the driver, and those besides by their own hand.
    uint64_t kills = 0;
    uint64_t deaths = 0;
    // Of bystanders.
    uint64_t warm_leases = 0;
    uint64_t cold_leases = 0;
    uint64_t cold_leases_quiet = 0;
    // Of the daemon.
    uint64_t quiet_bytes = 0;
    uint64_t most_bytes = 0;
    // From the end of the attackers until the daemon had nothing of theirs.
    absl::Duration cleared_after = {};
  };

  // `interrupted` ends the run when it becomes true.
  HostileDriver(Options options, const std::atomic<bool>* interrupted);

  // ABORTED: a breach. CANCELLED: interrupted.
  absl::Status Run();

  const Counts& counts() const { return counts_; }
  const SliceLatencies& latencies() const { return latencies_; }
  std::string DaemonLog() const { return daemon_.LogTail(); }

 private:
  using Process = std::unique_ptr<MemberProcess>;

  absl::Status StartBystanders();
  absl::Status RunSlices();
  absl::Status RunQuietSlice();
  absl::Status RunHostileSlice();
  absl::Status Finish();
  absl::Status EndAttackers();
  absl::Status EndBystanders();
  absl::Status AwaitNothingLeft(absl::Time since);
  absl::Status EndDaemon();

  void StartAttacker();
  void KillAnAttacker();
  void SignalAttackers(int number);

  // Goes on for as long, and looks after everything meanwhile.
  absl::Status Pass(absl::Duration span);
  // Until `condition` holds; ABORTED with `what` if it does not within 10 s.
  absl::Status Await(absl::string_view what,
                     const std::function<bool()>& condition);
  absl::Status Turn();
  void ReadReports();
  absl::Status CheckProcesses();
  absl::Status CheckAttackers();
  void Weigh();
  void OnBystander(absl::string_view line);
  void OnAttacker(absl::string_view line);
  void FoundBreach(absl::string_view what);

  const Options options_;
  const std::atomic<bool>& interrupted_;
  std::mt19937_64 random_;
  Slices slices_;
  SliceLatencies latencies_;
  Counts counts_;
  std::vector<std::string> files_of_others_;
  std::optional<std::string> breach_;
  int ready_ = 0;
  int done_ = 0;
  bool finishing_ = false;
  absl::Time next_weighing_ = absl::InfinitePast();
  DaemonControl daemon_;
  // Last, so that they end first.
  std::vector<Process> bystanders_;
  std::vector<Process> attackers_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_DRIVER_H_
