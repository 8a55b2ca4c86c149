#include "tests/torture/daemon_control.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/clock.h"

namespace warmpool::torture {
namespace {

constexpr absl::Duration kLongestStart = absl::Seconds(10);
constexpr absl::Duration kLongestStop = absl::Seconds(15);
constexpr absl::Duration kCallDeadline = absl::Seconds(1);
constexpr size_t kLogTailBytes = 4000;
constexpr off_t kLongestLog = 1 << 20;

absl::Time Now() { return MonotonicClock::Get().Now(); }

}  // namespace

DaemonControl::DaemonControl(Options options, Meanwhile meanwhile)
    : options_(std::move(options)), meanwhile_(std::move(meanwhile)) {}

std::string DaemonControl::target() const {
  return absl::StrCat("unix:", options_.directory, "/socket");
}

std::vector<std::string> DaemonControl::Arguments() const {
  std::vector<std::string> arguments = {
      options_.path, absl::StrCat("--listen=", target()),
      absl::StrCat("--shm_dir=", options_.shm_dir),
      absl::StrCat("--capacity_bytes=", options_.capacity_bytes),
      "--bigcache_slots=adaptive",
      // Everything happens soon.
      "--bigcache_decay=500ms", "--batch_max_age=100ms", "--default_ttl=3s",
      "--drain_timeout=0", "--log_level=info"};
  // Of a flag that is given twice the last counts.
  arguments.insert(arguments.end(), options_.flags.begin(),
                   options_.flags.end());
  return arguments;
}

absl::Status DaemonControl::Start(uint64_t failpoint) {
  failpoint_ = failpoint;
  std::vector<std::string> environment;
  if (failpoint != 0) {
    environment.push_back(absl::StrCat("WARMPOOL_FAILPOINT=", failpoint));
  }
  if (IsByDaemon(options_.sabotage)) {
    environment.push_back(
        absl::StrCat("WARMPOOL_SABOTAGE=", NameOf(options_.sabotage)));
  }
  KeepLogSmall();
  const int log =
      open(log_path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  WARMPOOL_CHECK(log >= 0, "no log file for the daemon");
  const absl::Time begin = Now();
  process_ = std::make_unique<TiedProcess>(
      Arguments(), TiedProcess::Files{.output = log, .error = log},
      environment);
  close(log);
  admin_.reset();
  while (!Serves()) {
    if (!running()) {
      if (killed_itself()) return absl::OkStatus();
      return absl::AbortedError(
          absl::StrCat("the daemon ", HowItEnded(), " before it served"));
    }
    if (Now() - begin > kLongestStart) {
      return absl::AbortedError(absl::StrCat(
          "the daemon does not serve ", absl::FormatDuration(kLongestStart),
          " after its start"));
    }
    meanwhile_();
  }
  longest_start_ = std::max(longest_start_, Now() - begin);
  return absl::OkStatus();
}

void DaemonControl::KeepLogSmall() const {
  struct stat log;
  if (stat(log_path().c_str(), &log) == 0 && log.st_size > kLongestLog) {
    (void)rename(log_path().c_str(), log_before_path().c_str());
  }
}

bool DaemonControl::Serves() {
  if (admin_ == nullptr) {
    absl::StatusOr<std::shared_ptr<AdminCalls>> admin =
        AdminCalls::Open(target(), {.deadline = absl::Milliseconds(50)});
    if (!admin.ok()) return false;
    admin = AdminCalls::Open(target(), {.deadline = kCallDeadline});
    if (!admin.ok()) return false;
    admin_ = *std::move(admin);
  }
  const absl::StatusOr<v1::GetStatsResponse> stats = admin_->GetStats();
  return stats.ok() && stats->pid() == process_->pid();
}

absl::Status DaemonControl::Terminate() {
  process_->Signal(SIGTERM);
  const absl::Time begin = Now();
  while (running()) {
    if (Now() - begin > kLongestStop) {
      return absl::AbortedError(absl::StrCat("the daemon runs ",
                                             absl::FormatDuration(kLongestStop),
                                             " after SIGTERM"));
    }
    meanwhile_();
  }
  if (*process_->Ended() == 0 || killed_itself()) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("the daemon ", HowItEnded(), " after SIGTERM"));
}

bool DaemonControl::running() { return !process_->Ended().has_value(); }

bool DaemonControl::killed_itself() {
  const int status = *process_->Ended();
  return failpoint_ != 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

std::string DaemonControl::HowItEnded() {
  return torture::HowItEnded(*process_->Ended());
}

std::string DaemonControl::LogTail() const {
  std::string text;
  for (const std::string& path : {log_before_path(), log_path()}) {
    std::ifstream log(path);
    text.append(std::istreambuf_iterator<char>(log), {});
  }
  return text.substr(text.size() - std::min(text.size(), kLogTailBytes));
}

}  // namespace warmpool::torture
