#include "client/load/load_flags.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "client/load/handoff/handoff_flags.h"
#include "client/tool/output.h"
#include "client/tool/usage.h"
#include "core/base/byte_size.h"
#include "core/base/status_macros.h"
#include "core/base/unix_target.h"

ABSL_FLAG(std::string, target, "",
          "Daemon to load, unix:PATH. Default: where a daemon of this user "
          "listens by default");
ABSL_FLAG(
    warmpool::ScenarioKind, scenario, warmpool::ScenarioKind::kCacheHeavy,
    "cache_heavy: --live buffers live; the oldest is released and another "
    "leased, over and over. cold_churn: rounds of --live leases, then "
    "their releases. vm: one such round, of --iterations leases. mixed: as "
    "cache_heavy, but of sizes from 64KiB to 64MiB (Zipf, small ones the "
    "most popular), and a random buffer is the one released. handoff: --pairs "
    "of processes; the producer leases a buffer, fills it and hands it over, "
    "the consumer checks every page and gives it back, --via the pool and "
    "plain gRPC by turns");
ABSL_FLAG(int, clients, 1, "Clients, each with a connection of its own");
ABSL_FLAG(bool, processes, false,
          "Each client is a process of its own instead of a thread");
ABSL_FLAG(warmpool::ByteSize, size, {2 * warmpool::kMiB},
          "Size of each buffer; mixed has its own");
ABSL_FLAG(std::optional<uint64_t>, live, std::nullopt,
          "Buffers that a client has live at once. Default: 10; 100 for "
          "cold_churn; vm has all --iterations");
ABSL_FLAG(std::optional<uint64_t>, iterations, std::nullopt,
          "Leases for each client; for handoff, rounds of each pair and --via. "
          "Default: no limit; 100 for vm");
ABSL_FLAG(std::optional<absl::Duration>, duration, std::nullopt,
          "How long to go on, all of --via together. With --iterations too, "
          "whichever ends first. "
          "Default: no limit; 10s when --iterations is not given either");
ABSL_FLAG(double, rate, 0,
          "Leases per second, all clients together. Leases and releases are "
          "due at even distances, and the latency of each counts from when it "
          "was due. 0: as fast as it goes");
ABSL_FLAG(warmpool::TouchMode, touch, warmpool::TouchMode::kPages,
          "What the first touch of a buffer writes: none, pages (8 bytes in "
          "each 4 KiB), all");
ABSL_FLAG(uint64_t, seed, 1, "The same seed makes the same steps");
ABSL_FLAG(absl::Duration, deadline, absl::Seconds(10),
          "Longest wait for the answer to a call");
ABSL_FLAG(bool, lease_cache, false,
          "Clients keep what they release, as the library does by default, and "
          "lease it again without a call. Off, the daemon is what is measured");
ABSL_FLAG(
    absl::Duration, busy_poll, absl::ZeroDuration(),
    "How long a client that waits for an answer asks the kernel again and "
    "again before it sleeps. 0: not at all");
ABSL_FLAG(std::string, json, "",
          "File for the report as JSON; -: to stdout, in place of the table");
ABSL_FLAG(std::optional<int>, client_process, std::nullopt,
          "Internal: run as this client of --processes");

namespace warmpool {
namespace {

constexpr uint64_t kDefaultVmLeases = 100;
constexpr uint64_t kDefaultLive = 10;
constexpr uint64_t kDefaultChurnLive = 100;
constexpr absl::Duration kDefaultDuration = absl::Seconds(10);

// More clients or live buffers are a typing error rather than a wish.
constexpr int kMaxClients = 10'000;
constexpr uint64_t kMaxLive = 10'000'000;

constexpr char kUsage[] =
    R"(loadgen: leases and releases buffers through the client library, and tells how
long that took.

  loadgen --scenario=cache_heavy --clients=4 --duration=5s
  loadgen --scenario=vm --iterations=100 --size=2MiB --json=report.json
  loadgen --scenario=mixed --clients=8 --processes --rate=2000
  loadgen --scenario=handoff --size=16MiB --pairs=2 --via=warmpool,grpc_unary

Ctrl-C ends the run early; what was measured is printed.

Exit codes: 0, also when the daemon refused leases because it was full; 1 when
no lease was granted, when anything else failed, or on a bad flag. A failure
does not end the run: the report tells them by operation and status code. That
of a handoff does: a page with other bytes than were written, or a process that
died.

Flags:
)";

constexpr absl::string_view kFlags[] = {
    "target",     "scenario",    "clients",   "processes", "size",  "live",
    "iterations", "duration",    "rate",      "touch",     "pairs", "via",
    "seed",       "lease_cache", "busy_poll", "deadline",  "json"};

absl::Status Invalid(absl::string_view flag, absl::string_view value,
                     absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, "=", value, " ", why));
}

absl::Status CheckNumbers() {
  const int clients = absl::GetFlag(FLAGS_clients);
  if (clients < 1 || clients > kMaxClients) {
    return Invalid("clients", absl::StrCat(clients),
                   absl::StrCat("is outside of 1 to ", kMaxClients));
  }
  const double rate = absl::GetFlag(FLAGS_rate);
  if (!(rate >= 0 && rate <= 1e9)) {
    return Invalid("rate", absl::StrCat(rate), "is outside of 0 to 1e9");
  }
  if (absl::GetFlag(FLAGS_iterations) == uint64_t{0}) {
    return Invalid("iterations", "0", "leases nothing");
  }
  if (const auto duration = absl::GetFlag(FLAGS_duration);
      duration.has_value() && *duration <= absl::ZeroDuration()) {
    return Invalid("duration", absl::FormatDuration(*duration),
                   "is not positive");
  }
  if (const absl::Duration deadline = absl::GetFlag(FLAGS_deadline);
      deadline <= absl::ZeroDuration()) {
    return Invalid("deadline", absl::FormatDuration(deadline),
                   "is not positive");
  }
  return absl::OkStatus();
}

absl::Status SetLive(ScenarioOptions* scenario) {
  const std::optional<uint64_t> live = absl::GetFlag(FLAGS_live);
  if (scenario->kind == ScenarioKind::kVm) {
    if (live.has_value()) {
      return Invalid("live", absl::StrCat(*live),
                     "is not for the scenario vm, which has all --iterations "
                     "buffers live at once");
    }
    scenario->live = *scenario->leases;
  } else if (scenario->kind == ScenarioKind::kHandoff) {
    if (live.has_value()) {
      return Invalid("live", absl::StrCat(*live),
                     "is not for the scenario handoff, whose pairs have one "
                     "buffer at a time");
    }
    scenario->live = 1;
  } else if (scenario->kind == ScenarioKind::kColdChurn) {
    scenario->live = live.value_or(kDefaultChurnLive);
  } else {
    scenario->live = live.value_or(kDefaultLive);
  }
  if (scenario->live < 1 || scenario->live > kMaxLive) {
    return absl::InvalidArgumentError(
        absl::StrCat(scenario->live, " buffers live at once are outside of 1 ",
                     "to ", kMaxLive));
  }
  return absl::OkStatus();
}

// What bounds the run, where the flags leave it open.
absl::Status SetScenario(LoadOptions* options) {
  ScenarioOptions& scenario = options->scenario;
  scenario.kind = absl::GetFlag(FLAGS_scenario);
  scenario.size_bytes = absl::GetFlag(FLAGS_size).bytes;
  scenario.leases = absl::GetFlag(FLAGS_iterations);
  if (scenario.kind == ScenarioKind::kVm && !scenario.leases.has_value()) {
    scenario.leases = kDefaultVmLeases;
  }
  const absl::Duration fallback =
      scenario.leases.has_value() ? absl::InfiniteDuration() : kDefaultDuration;
  options->duration = absl::GetFlag(FLAGS_duration).value_or(fallback);
  return SetLive(&scenario);
}

absl::Status SetHandoff(LoadFlags* flags) {
  if (flags->options.scenario.kind != ScenarioKind::kHandoff) {
    return CheckNoHandoffFlags();
  }
  ASSIGN_OR_RETURN(HandoffOptions handoff, HandoffFlags(flags->options));
  flags->handoff = std::move(handoff);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadFlags> ParseLoadFlags(int argc, char** argv) {
  if (WantsHelp(argc, argv)) {
    PrintOut(absl::StrCat(kUsage, FlagsHelp(kFlags)));
    std::exit(0);
  }
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "unexpected argument \"", rest[1], "\": loadgen takes flags only"));
  }
  absl::Status status = CheckNumbers();
  if (!status.ok()) return status;

  LoadFlags flags;
  LoadOptions& options = flags.options;
  status = SetScenario(&options);
  if (!status.ok()) return status;
  options.target = absl::GetFlag(FLAGS_target);
  if (options.target.empty()) options.target = DefaultTarget();
  options.deadline = absl::GetFlag(FLAGS_deadline);
  options.lease_cache = absl::GetFlag(FLAGS_lease_cache);
  options.busy_poll = absl::GetFlag(FLAGS_busy_poll);
  options.leases_per_second = absl::GetFlag(FLAGS_rate);
  options.touch = absl::GetFlag(FLAGS_touch);
  options.seed = absl::GetFlag(FLAGS_seed);
  options.clients = absl::GetFlag(FLAGS_clients);
  options.processes = absl::GetFlag(FLAGS_processes);
  options.json_path = absl::GetFlag(FLAGS_json);
  flags.client_process = absl::GetFlag(FLAGS_client_process);
  flags.handoff_role = HandoffRoleFlag();
  status = SetHandoff(&flags);
  if (!status.ok()) return status;
  return flags;
}

}  // namespace warmpool
