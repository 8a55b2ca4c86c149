#include "client/cli/doctor/container.h"

#include <linux/capability.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/doctor/text_files.h"

namespace warmpool::doctor {
namespace {

// include/linux/proc_ns.h: PROC_PID_INIT_INO.
constexpr ino_t kFirstPidNamespace = 0xEFFFFFFC;

struct Capability {
  int bit;
  const char* name;
};

// What a root daemon does with the files of those it serves: gives them to
// their users; opens them again; changes their modes (Seal); asks for leases on
// them, as somebody who may or as their user.
constexpr Capability kChown = {CAP_CHOWN, "CAP_CHOWN"};
constexpr Capability kDacOverride = {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"};
constexpr Capability kFowner = {CAP_FOWNER, "CAP_FOWNER"};
constexpr Capability kLease = {CAP_LEASE, "CAP_LEASE"};
constexpr Capability kSetuid = {CAP_SETUID, "CAP_SETUID"};

bool Has(uint64_t set, const Capability& capability) {
  return (set >> capability.bit & 1) != 0;
}

Check CheckCapabilities(const ContainerReadings& readings, const Plan& plan,
                        bool serves_others) {
  constexpr char kName[] = "capabilities";
  if (plan.daemon_uid != 0) {
    return Ok(kName, "none needed: an ordinary user's daemon serves that user");
  }
  if (!readings.capabilities.has_value()) {
    return Warn(kName, "can't read the daemon's", "mount /proc");
  }
  const uint64_t set = *readings.capabilities;
  std::vector<std::string> missing;
  for (const Capability& needed : {kChown, kDacOverride, kFowner}) {
    if (!Has(set, needed)) missing.push_back(needed.name);
  }
  if (!Has(set, kLease) && !Has(set, kSetuid)) missing.push_back(kLease.name);
  if (missing.empty()) return Ok(kName, "all that serving other users takes");
  const std::string names = absl::StrJoin(missing, " ");
  const std::string remedy = absl::StrCat(
      "CapabilityBoundingSet= in the unit, docker run --cap-add=, "
      "or securityContext.capabilities.add: ",
      names);
  if (serves_others) {
    return Fail(kName,
                absl::StrCat("the daemon serves other users without ", names),
                remedy);
  }
  return Warn(
      kName, absl::StrCat("a root daemon can serve root alone without ", names),
      remedy);
}

}  // namespace

ContainerReadings ReadContainer(const Plan& plan) {
  ContainerReadings readings;
  const std::optional<std::string> text = ValueOf(
      ReadLines(absl::StrCat(plan.root, "/proc/", plan.Process(), "/status")),
      "CapEff:");
  uint64_t set = 0;
  if (text.has_value() && absl::SimpleHexAtoi(*text, &set)) {
    readings.capabilities = set;
  }
  struct stat pids;
  readings.first_pid_namespace =
      stat((plan.root + "/proc/self/ns/pid").c_str(), &pids) < 0 ||
      pids.st_ino == kFirstPidNamespace;
  return readings;
}

Checks CheckContainer(const ContainerReadings& readings, const Plan& plan,
                      bool serves_others) {
  Checks checks = {CheckCapabilities(readings, plan, serves_others)};
  if (plan.daemon_runs) return checks;
  checks.push_back(
      readings.first_pid_namespace
          ? Ok("pid_namespace", "the machine's")
          : Warn("pid_namespace",
                 "a container's own: a daemon in it sees no process outside of "
                 "it, and would learn of its end by its connection alone",
                 "docker run --pid=host, or hostPID: true for the daemon's "
                 "pod"));
  return checks;
}

}  // namespace warmpool::doctor
