#include "tests/torture/hostile/hostile_driver.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "tests/torture/hostile/resident_memory.h"

namespace warmpool::torture {
namespace {

constexpr absl::Duration kTurn = absl::Milliseconds(10);
// Of a slice, until what the one before has left is done.
constexpr absl::Duration kSettling = absl::Milliseconds(250);
constexpr absl::Duration kWeighEvery = absl::Milliseconds(100);

absl::Time Now() { return MonotonicClock::Get().Now(); }

std::vector<std::string> FilesOf(uid_t uid, const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    struct stat file;
    if (entry.path().extension() == ".seg" &&
        stat(entry.path().c_str(), &file) == 0 && file.st_uid == uid) {
      files.push_back(entry.path().string());
    }
  }
  return files;
}

}  // namespace

HostileDriver::HostileDriver(Options options,
                             const std::atomic<bool>* interrupted)
    : options_(std::move(options)),
      interrupted_(*interrupted),
      random_(options_.seed),
      slices_(kSettling),
      daemon_(options_.daemon, [] { absl::SleepFor(kTurn); }) {}

absl::Status HostileDriver::Run() {
  absl::Status status = daemon_.Start(/*failpoint=*/0);
  if (status.ok()) status = StartBystanders();
  if (status.ok()) status = RunSlices();
  if (status.ok()) status = Finish();
  return status;
}

absl::Status HostileDriver::StartBystanders() {
  for (int i = 0; i < options_.bystanders; ++i) {
    std::vector<std::string> arguments = options_.bystander_arguments;
    arguments.push_back(absl::StrCat("--seed=", random_()));
    bystanders_.push_back(std::make_unique<MemberProcess>(arguments));
  }
  const absl::Status status = Await("the bystanders have no leases", [this] {
    return ready_ == options_.bystanders;
  });
  if (!status.ok()) return status;
  // Those of held leases, and some that end soon: both are others'.
  files_of_others_ = FilesOf(options_.bystander_uid, options_.daemon.shm_dir);
  return absl::OkStatus();
}

absl::Status HostileDriver::RunSlices() {
  const absl::Time end = Now() + options_.run_for;
  absl::Status status = RunQuietSlice();
  counts_.quiet_bytes = ResidentBytes(daemon_.pid());
  for (int i = 0; i < options_.attackers; ++i) StartAttacker();
  while (status.ok() && Now() < end) {
    status = RunHostileSlice();
    if (status.ok()) status = RunQuietSlice();
  }
  slices_.End(Now());
  return status;
}

absl::Status HostileDriver::RunQuietSlice() {
  SignalAttackers(SIGSTOP);
  slices_.Begin(SliceKind::kQuiet, Now());
  return Pass(absl::Milliseconds(1000 + random_() % 1000));
}

absl::Status HostileDriver::RunHostileSlice() {
  ++counts_.hostile_slices;
  SignalAttackers(SIGCONT);
  slices_.Begin(SliceKind::kHostile, Now());
  const absl::Time end = Now() + absl::Milliseconds(2000 + random_() % 1000);
  while (Now() < end) {
    const absl::Status status =
        Pass(std::min(end - Now(), absl::Milliseconds(300 + random_() % 900)));
    if (!status.ok()) return status;
    KillAnAttacker();
  }
  return absl::OkStatus();
}

void HostileDriver::StartAttacker() {
  std::vector<std::string> arguments = options_.attacker_arguments;
  arguments.push_back(absl::StrCat("--seed=", random_()));
  arguments.push_back(
      absl::StrCat("--files_of_others=", absl::StrJoin(files_of_others_, ",")));
  attackers_.push_back(std::make_unique<MemberProcess>(arguments));
}

void HostileDriver::KillAnAttacker() {
  if (attackers_.empty()) return;
  ++counts_.kills;
  // It is replaced once it is seen to be gone.
  attackers_[random_() % attackers_.size()]->Signal(SIGKILL);
}

void HostileDriver::SignalAttackers(int number) {
  for (const Process& attacker : attackers_) attacker->Signal(number);
}

absl::Status HostileDriver::Pass(absl::Duration span) {
  const absl::Time end = Now() + span;
  while (Now() < end) {
    const absl::Status status = Turn();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status HostileDriver::Turn() {
  std::vector<pollfd> polled;
  for (const auto* const processes : {&bystanders_, &attackers_}) {
    for (const Process& process : *processes) {
      polled.push_back(
          {.fd = process->output(), .events = POLLIN, .revents = 0});
    }
  }
  poll(polled.data(), polled.size(),
       static_cast<int>(absl::ToInt64Milliseconds(kTurn)));
  ReadReports();
  absl::Status status = CheckProcesses();
  if (breach_.has_value()) return absl::AbortedError(*breach_);
  if (!status.ok()) return status;
  if (interrupted_) return absl::CancelledError("interrupted");
  Weigh();
  if (breach_.has_value()) return absl::AbortedError(*breach_);
  if (options_.on_turn) options_.on_turn(*this);
  return absl::OkStatus();
}

void HostileDriver::ReadReports() {
  for (const Process& bystander : bystanders_) {
    bystander->ReadLines([this](absl::string_view line) { OnBystander(line); });
  }
  for (const Process& attacker : attackers_) {
    attacker->ReadLines([this](absl::string_view line) { OnAttacker(line); });
  }
}

absl::Status HostileDriver::CheckProcesses() {
  if (!daemon_.running()) {
    return absl::AbortedError(
        absl::StrCat("the daemon ", daemon_.HowItEnded()));
  }
  for (const Process& bystander : bystanders_) {
    const std::optional<int> ended = bystander->Ended();
    if (!ended.has_value() || (finishing_ && *ended == 0)) continue;
    ReadReports();
    return absl::AbortedError(absl::StrCat("a bystander ", HowItEnded(*ended)));
  }
  return CheckAttackers();
}

absl::Status HostileDriver::CheckAttackers() {
  for (size_t i = 0; i < attackers_.size(); ++i) {
    const std::optional<int> ended = attackers_[i]->Ended();
    if (!ended.has_value()) continue;
    ReadReports();
    if (!WIFSIGNALED(*ended) || WTERMSIG(*ended) != SIGKILL) {
      return absl::AbortedError(
          absl::StrCat("an attacker ", HowItEnded(*ended)));
    }
    if (!finishing_) ++counts_.deaths;
    attackers_.erase(attackers_.begin() + static_cast<ptrdiff_t>(i));
    --i;
    if (!finishing_) StartAttacker();
  }
  return absl::OkStatus();
}

void HostileDriver::Weigh() {
  const absl::Time now = Now();
  if (now < next_weighing_) return;
  next_weighing_ = now + kWeighEvery;
  const uint64_t bytes = ResidentBytes(daemon_.pid());
  counts_.most_bytes = std::max(counts_.most_bytes, bytes);
  if (counts_.quiet_bytes == 0 ||
      bytes <= counts_.quiet_bytes + options_.most_growth_bytes) {
    return;
  }
  FoundBreach(absl::StrCat("the daemon has ", FormatByteSize(bytes),
                           ", and had ", FormatByteSize(counts_.quiet_bytes),
                           " before the first attack: more than ",
                           FormatByteSize(options_.most_growth_bytes),
                           " beyond it"));
}

void HostileDriver::OnBystander(absl::string_view line) {
  using Kind = BystanderReport::Kind;
  const auto report = BystanderReport::FromLine(line);
  if (!report.has_value()) {
    return FoundBreach(absl::StrCat("a bystander says: ", line));
  }
  std::optional<SliceKind> slice;
  switch (report->kind) {
    case Kind::kReady: ++ready_; break;
    case Kind::kDone: ++done_; break;
    case Kind::kBreach: FoundBreach(report->text); break;
    case Kind::kCold:
      ++counts_.cold_leases;
      slice = slices_.KindOf(report->begin, report->end);
      if (slice == SliceKind::kQuiet) ++counts_.cold_leases_quiet;
      break;
    case Kind::kWarm:
      ++counts_.warm_leases;
      slice = slices_.KindOf(report->begin, report->end);
      if (!slice.has_value()) break;
      latencies_.Add(*slice, report->size, report->end - report->begin);
      break;
  }
}

void HostileDriver::OnAttacker(absl::string_view line) {
  const auto report = HostileReport::FromLine(line);
  if (!report.has_value()) {
    return FoundBreach(absl::StrCat("an attacker says: ", line));
  }
  AttackCounts& counts = counts_.attacks[report->attack];
  switch (report->kind) {
    case HostileReport::Kind::kBegin: ++counts.begun; break;
    case HostileReport::Kind::kEnd:
      counts.requests += report->requests;
      counts.refusals += report->refusals;
      break;
    case HostileReport::Kind::kBreach: FoundBreach(report->text); break;
  }
}

void HostileDriver::FoundBreach(absl::string_view what) {
  if (!breach_.has_value()) breach_ = std::string(what);
}

}  // namespace warmpool::torture
