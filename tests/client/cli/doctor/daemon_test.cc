#include "client/cli/doctor/daemon.h"

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"

namespace warmpool::doctor {
namespace {

DaemonReadings Healthy() {
  DaemonReadings readings;
  readings.stats = v1::GetStatsResponse();
  readings.stats->set_pid(71);
  readings.stats->set_shm_dir("/dev/shm/warmpool-0");
  readings.seen_as = 80;
  readings.own_pid = 80;
  readings.own_uid = 1000;
  readings.directory_seen = true;
  return readings;
}

TEST(DaemonTest, OneThatServesThisProcessIsOk) {
  const Checks checks = CheckDaemon(Healthy());
  EXPECT_EQ(checks.size(), 3u);
  for (const Check& check : checks) EXPECT_THAT(check, IsOk());
}

TEST(DaemonTest, OneThatDoesNotAnswerFails) {
  DaemonReadings readings = Healthy();
  readings.stats = absl::UnavailableError("no daemon answers");
  EXPECT_THAT(Named("daemon", CheckDaemon(readings)),
              Fails("no daemon answers", "journalctl"));
  readings.stats = absl::PermissionDeniedError("uid 1000 is not served");
  EXPECT_THAT(Named("daemon", CheckDaemon(readings)),
              Fails("not served", "--allow_uid=1000"));
}

TEST(DaemonTest, OneThatStopsWarns) {
  DaemonReadings readings = Healthy();
  readings.stats->set_draining(true);
  readings.leased = absl::UnavailableError("draining");
  readings.seen_as.reset();
  for (const Check& check : CheckDaemon(readings)) {
    EXPECT_THAT(check, Warns("", "")) << check;
  }
}

TEST(DaemonTest, ADirectoryThatIsNotSharedFails) {
  DaemonReadings readings = Healthy();
  readings.leased = absl::NotFoundError("can't open x.seg");
  readings.seen_as.reset();
  readings.directory_seen = false;
  EXPECT_THAT(
      Named("lease", CheckDaemon(readings)),
      Fails("x.seg", "docker run -v /dev/shm/warmpool-0:/dev/shm/warmpool-0"));
  EXPECT_THAT(Named("pid_namespace", CheckDaemon(readings)),
              Warns("not known", "lease"));
}

TEST(DaemonTest, AFullDaemonFailsWithItsWords) {
  DaemonReadings readings = Healthy();
  readings.leased = absl::ResourceExhaustedError("no room: 0 bytes free");
  EXPECT_THAT(Named("lease", CheckDaemon(readings)),
              Fails("no room: 0 bytes free", "warmpool stats"));
}

TEST(DaemonTest, AProcessThatTheDaemonDoesNotSeeIsWarned) {
  DaemonReadings readings = Healthy();
  readings.seen_as = 0;
  EXPECT_THAT(Named("pid_namespace", CheckDaemon(readings)),
              Warns("does not see this process", "hostPID: true"));
  // By another number, it does.
  readings.seen_as = 4711;
  const Check check = Named("pid_namespace", CheckDaemon(readings));
  EXPECT_THAT(check, IsOk());
  EXPECT_THAT(check.value, ::testing::HasSubstr("pid 4711, here it is pid 80"));
}

}  // namespace
}  // namespace warmpool::doctor
