#include "tests/torture/hostile/hostile_main.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <random>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "tests/core/memory/small_tmpfs.h"
#include "tests/support/runfile.h"
#include "tests/torture/hostile/attacks.h"
#include "tests/torture/hostile/bystander.h"
#include "tests/torture/hostile/hostile_client.h"
#include "tests/torture/hostile/hostile_driver.h"
#include "tests/torture/hostile/hostile_summary.h"
#include "tests/torture/hostile/other_uid.h"

ABSL_FLAG(uint32_t, hostile_uid, 0,
          "Instead of all that: processes of this user attack the daemon, and "
          "those of another must not suffer. Takes root. 0: nobody does");
ABSL_FLAG(uint32_t, bystander_uid, 65533, "With --hostile_uid: the other user");
ABSL_FLAG(int, attackers, 4, "With --hostile_uid: its processes at a time");
ABSL_FLAG(int, bystanders, 3, "With --hostile_uid: the other user's processes");
ABSL_FLAG(std::string, attacks, "",
          "With --hostile_uid: which attacks, such as 1,5; empty: all");
ABSL_FLAG(double, slowdown, 3,
          "With --hostile_uid: how many times as long as without it the 99th "
          "percentile of warm leases may be");
ABSL_FLAG(absl::Duration, slowdown_floor, absl::Milliseconds(2),
          "With --hostile_uid: what it may be in any case");
ABSL_FLAG(warmpool::ByteSize, growth, {uint64_t{64} << 20},
          "With --hostile_uid: what the daemon may grow by");

// Given by the driver to its processes.
ABSL_FLAG(std::string, hostile_role, "driver", "driver, attacker or bystander");
ABSL_FLAG(uint64_t, hostile_limit, 0, "Bytes that an attacker's uid may lease");
ABSL_FLAG(std::string, hostile_directory, "", "An attacker's own");
ABSL_FLAG(std::string, files_of_others, "",
          "Segments that no attacker may touch");

namespace warmpool::torture {
namespace {

// A uid at its limit leaves to the others more than twice what they use, some
// 40 MiB; and warm, half of the rest.
constexpr uint64_t kCapacityBytes = 256 * kMiB;
constexpr uint64_t kMaxBytesPerUid = 160 * kMiB;
constexpr uint64_t kMaxLeasesPerUid = 10'000;
// What the filesystem has besides: the journal, and files that attackers make
// grow.
constexpr uint64_t kSpareBytes = 64 * kMiB;

int Fail(absl::string_view problem) {
  std::cerr << "torture: --hostile_uid: " << problem << std::endl;
  return 2;
}

absl::StatusOr<std::vector<int>> ChosenAttacks() {
  std::vector<int> chosen;
  const std::string list = absl::GetFlag(FLAGS_attacks);
  if (list.empty()) {
    for (const Attack& attack : AllAttacks()) chosen.push_back(attack.number);
    return chosen;
  }
  for (const absl::string_view word : absl::StrSplit(list, ',')) {
    int number = 0;
    if (!absl::SimpleAtoi(word, &number) || number < 1 ||
        static_cast<size_t>(number) > AllAttacks().size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "no attack \"", word, "\": there are 1 to ", AllAttacks().size()));
    }
    chosen.push_back(number);
  }
  return chosen;
}

int BeAttacker(const HostileArguments& arguments) {
  absl::Status status = BecomeUid(absl::GetFlag(FLAGS_hostile_uid));
  if (status.ok()) status = YieldToEverybody();
  const absl::StatusOr<std::vector<int>> attacks = ChosenAttacks();
  if (status.ok()) status = attacks.status();
  if (!status.ok()) return Fail(status.message());
  Attacker::Options options = {
      .target = arguments.target,
      .seed = arguments.seed,
      .limit_bytes = absl::GetFlag(FLAGS_hostile_limit),
      .directory = absl::GetFlag(FLAGS_hostile_directory),
      .other_uid = absl::GetFlag(FLAGS_bystander_uid),
      .files_of_others = absl::StrSplit(absl::GetFlag(FLAGS_files_of_others),
                                        ',', absl::SkipEmpty())};
  return HostileClient(options, *attacks, STDOUT_FILENO);
}

int BeBystander(const HostileArguments& arguments) {
  const absl::Status status = BecomeUid(absl::GetFlag(FLAGS_bystander_uid));
  if (!status.ok()) return Fail(status.message());
  return Bystander(arguments.target, arguments.seed, STDIN_FILENO,
                   STDOUT_FILENO)
      .Run();
}

// Says every now and then how far a driver is.
class HostileProgress {
 public:
  void operator()(const HostileDriver& driver) {
    const absl::Time now = MonotonicClock::Get().Now();
    if (now < next_) return;
    next_ += kEvery;
    std::cerr << "torture: " << absl::ToInt64Seconds(now - begin_) << " s, "
              << ProgressOf(driver) << std::endl;
  }

 private:
  static constexpr absl::Duration kEvery = absl::Seconds(10);

  const absl::Time begin_ = MonotonicClock::Get().Now();
  absl::Time next_ = begin_ + kEvery;
};

// Of the filesystem: what others than root pass through, and an attacker's own.
struct Directories {
  std::string scratch;
  std::string pool;
  std::string hostile;
};

Directories MakeDirectories(const SmallTmpfs& tmpfs) {
  const std::filesystem::path root(tmpfs.Join("root"));
  Directories directories = {
      .scratch = root.parent_path().parent_path().string(),
      .pool = tmpfs.Join("pool"),
      .hostile = tmpfs.Join("hostile")};
  chmod(directories.scratch.c_str(), 0711);
  chmod(root.parent_path().c_str(), 0711);
  mkdir(directories.hostile.c_str(), 0700);
  (void)!chown(directories.hostile.c_str(), absl::GetFlag(FLAGS_hostile_uid),
               static_cast<gid_t>(-1));
  return directories;
}

std::vector<std::string> ProcessArguments(const char* role,
                                          const Directories& directories) {
  return {testing::ThisProgram(),
          absl::StrCat("--hostile_role=", role),
          absl::StrCat("--hostile_uid=", absl::GetFlag(FLAGS_hostile_uid)),
          absl::StrCat("--bystander_uid=", absl::GetFlag(FLAGS_bystander_uid)),
          absl::StrCat("--attacks=", absl::GetFlag(FLAGS_attacks)),
          absl::StrCat("--hostile_limit=", kMaxBytesPerUid),
          absl::StrCat("--hostile_directory=", directories.hostile),
          absl::StrCat("--target=unix:", directories.scratch, "/socket")};
}

HostileDriver::Options MakeOptions(const HostileArguments& arguments,
                                   const Directories& directories) {
  return {
      .run_for = arguments.run_for,
      .seed = arguments.seed,
      .attackers = absl::GetFlag(FLAGS_attackers),
      .bystanders = absl::GetFlag(FLAGS_bystanders),
      .limits = {.ratio = absl::GetFlag(FLAGS_slowdown),
                 .floor = absl::GetFlag(FLAGS_slowdown_floor)},
      .most_growth_bytes = absl::GetFlag(FLAGS_growth).bytes,
      .daemon =
          {.path = arguments.daemon_path,
           .directory = directories.scratch,
           .shm_dir = directories.pool,
           .capacity_bytes = kCapacityBytes,
           .flags = {absl::StrCat(
                         "--allow_uid=", absl::GetFlag(FLAGS_hostile_uid), ",",
                         absl::GetFlag(FLAGS_bystander_uid)),
                     absl::StrCat("--max_bytes_per_uid=", kMaxBytesPerUid),
                     absl::StrCat("--max_leases_per_uid=", kMaxLeasesPerUid),
                     // Every lease that is not warm is made for itself.
                     "--stock_bytes=0", "--bigcache_slots=8",
                     "--bigcache_decay=10s", "--log_level=warn"}},
      .attacker_arguments = ProcessArguments("attacker", directories),
      .bystander_arguments = ProcessArguments("bystander", directories),
      .bystander_uid = absl::GetFlag(FLAGS_bystander_uid),
      .on_turn = HostileProgress()};
}

std::string CommandToRepeat(const HostileArguments& arguments) {
  std::string command =
      absl::StrCat("bazel-bin/tests/torture/torture --hostile_uid=",
                   absl::GetFlag(FLAGS_hostile_uid),
                   " --seconds=", absl::ToInt64Seconds(arguments.run_for));
  if (const std::string attacks = absl::GetFlag(FLAGS_attacks);
      !attacks.empty()) {
    absl::StrAppend(&command, " --attacks=", attacks);
  }
  return absl::StrCat(command, " --seed=", arguments.seed);
}

int Conclude(const HostileArguments& arguments, const absl::Status& status,
             const HostileDriver& driver) {
  if (absl::IsAborted(status)) {
    std::cout << "--- the daemon's log\n" << driver.DaemonLog() << "---\n";
  }
  std::cout << ToText(driver);
  const std::string command = CommandToRepeat(arguments);
  if (status.ok()) {
    std::cout << "torture: ok, " << command << std::endl;
    return 0;
  }
  if (absl::IsCancelled(status)) {
    std::cout << "torture: interrupted" << std::endl;
    return 130;
  }
  std::cout << "torture: breach: " << status.message()
            << "\ntorture: to repeat it: " << command << std::endl;
  return 1;
}

int BeDriver(HostileArguments arguments, const std::atomic<bool>* interrupted) {
  if (geteuid() != 0) return Fail("only root can be several users");
  if (const auto attacks = ChosenAttacks(); !attacks.ok()) {
    return Fail(attacks.status().message());
  }
  if (access(arguments.daemon_path.c_str(), X_OK) < 0) {
    return Fail(absl::StrCat("no daemon at ", arguments.daemon_path,
                             ": build //server:warmpoold or give --daemon"));
  }
  const SmallTmpfs tmpfs(
      absl::StrCat("mode=0711,size=", kCapacityBytes + kSpareBytes));
  if (!tmpfs.problem().empty()) return Fail(tmpfs.problem());
  if (arguments.seed == 0) arguments.seed = std::random_device()();
  std::cerr << "torture: seed " << arguments.seed << std::endl;
  HostileDriver driver(MakeOptions(arguments, MakeDirectories(tmpfs)),
                       interrupted);
  const absl::Status status = driver.Run();
  return Conclude(arguments, status, driver);
}

}  // namespace

bool IsHostile() { return absl::GetFlag(FLAGS_hostile_uid) != 0; }

int HostileMain(const HostileArguments& arguments,
                const std::atomic<bool>* interrupted) {
  const std::string role = absl::GetFlag(FLAGS_hostile_role);
  if (role == "attacker") return BeAttacker(arguments);
  if (role == "bystander") return BeBystander(arguments);
  return BeDriver(arguments, interrupted);
}

}  // namespace warmpool::torture
