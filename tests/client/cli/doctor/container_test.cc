#include "client/cli/doctor/container.h"

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool::doctor {
namespace {

// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SETUID, CAP_LEASE.
constexpr uint64_t kNeeded = 1 | 1 << 1 | 1 << 3 | 1 << 7 | 1 << 28;
// What docker gives: CAP_SETUID, but not CAP_LEASE.
constexpr uint64_t kDocker = 0xa80425fb;

TEST(ContainerTest, ARootDaemonHasWhatServingOthersTakes) {
  const Plan root;
  for (const uint64_t set : {kNeeded, kDocker, ~uint64_t{0}}) {
    EXPECT_THAT(Named("capabilities",
                      CheckContainer({.capabilities = set}, root, true)),
                IsOk());
  }
}

TEST(ContainerTest, EachThatIsMissingIsNamed) {
  const Plan root;
  EXPECT_THAT(Named("capabilities", CheckContainer({.capabilities = 0}, root,
                                                   /*serves_others=*/false)),
              Warns("root alone",
                    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER "
                    "CAP_LEASE"));
  EXPECT_THAT(
      Named("capabilities",
            CheckContainer({.capabilities = kNeeded & ~uint64_t{1 << 3}}, root,
                           /*serves_others=*/true)),
      Fails("without CAP_FOWNER", "add: CAP_FOWNER"));
  // The one of the two is enough.
  EXPECT_THAT(
      Named("capabilities",
            CheckContainer({.capabilities = kNeeded & ~uint64_t{1 << 28}}, root,
                           true)),
      IsOk());
}

TEST(ContainerTest, AnOrdinaryUserNeedsNone) {
  const Plan plan = {.daemon_uid = 1000};
  EXPECT_THAT(
      Named("capabilities", CheckContainer({.capabilities = 0}, plan, false)),
      IsOk());
}

TEST(ContainerTest, UnknownCapabilitiesAreNotOk) {
  EXPECT_THAT(Named("capabilities", CheckContainer({}, Plan(), false)),
              Warns("can't read", "mount /proc"));
}

TEST(ContainerTest, ANamespaceOfItsOwnIsToldWhereNoDaemonTellsBetter) {
  Plan plan;
  const ContainerReadings readings = {.capabilities = kNeeded,
                                      .first_pid_namespace = false};
  EXPECT_THAT(Named("pid_namespace", CheckContainer(readings, plan, false)),
              Warns("a container's own", "hostPID: true"));
  EXPECT_THAT(Named("pid_namespace",
                    CheckContainer({.capabilities = kNeeded}, plan, false)),
              IsOk());
  plan.daemon_runs = true;
  EXPECT_EQ(CheckContainer(readings, plan, false).size(), 1u);
}

TEST(ContainerTest, CapabilitiesAreReadOfTheProcessThatCounts) {
  FakeCgroups files("/");
  files.Write("/proc/self/status", "Name:\tx\nCapEff:\t00000000a80425fb\n");
  files.Write("/proc/71/status", "Name:\tx\nCapEff:\t0000000000000000\n");
  Plan plan = {.root = files.root()};
  EXPECT_EQ(ReadContainer(plan).capabilities, kDocker);
  plan.daemon_pid = 71;
  EXPECT_EQ(ReadContainer(plan).capabilities, 0u);
  plan.daemon_pid = 72;
  EXPECT_EQ(ReadContainer(plan).capabilities, std::nullopt);
}

}  // namespace
}  // namespace warmpool::doctor
