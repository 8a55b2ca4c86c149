#include "client/cli/doctor/logind.h"

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool::doctor {
namespace {

// A machine with systemd, whose default is to remove.
class LogindTest : public ::testing::Test {
 protected:
  LogindTest() : files_("/") {
    files_.Write("/run/systemd/system/x", "");
    files_.Write("/etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n");
    plan_.root = files_.root();
    plan_.shm_dir = "/dev/shm/warmpool-1000";
    plan_.daemon_uid = 1000;
  }

  FakeCgroups files_;
  Plan plan_;
};

TEST_F(LogindTest, AnOrdinaryUsersDaemonIsWarned) {
  EXPECT_THAT(CheckRemoveIpc(plan_),
              Warns("uid 1000 logs out", "loginctl enable-linger 1000"));
}

TEST_F(LogindTest, ARootDaemonIsWarnedOfItsUsers) {
  plan_.daemon_uid = 0;
  EXPECT_THAT(CheckRemoveIpc(plan_),
              Warns("whom the daemon serves", "RemoveIPC=no"));
}

TEST_F(LogindTest, ASystemUsersFilesStay) {
  plan_.daemon_uid = 999;
  EXPECT_THAT(CheckRemoveIpc(plan_), IsOk());
}

TEST_F(LogindTest, ADirectoryElsewhereStays) {
  plan_.shm_dir = "/run/warmpool/shm";
  EXPECT_THAT(CheckRemoveIpc(plan_), IsOk());
}

TEST_F(LogindTest, WithoutSystemdNobodyRemoves) {
  std::filesystem::remove_all(files_.root() + "/run");
  EXPECT_THAT(CheckRemoveIpc(plan_), IsOk());
}

TEST_F(LogindTest, TheConfigurationCountsAndItsDropInsOverrideIt) {
  files_.Write("/etc/systemd/logind.conf", "[Login]\nRemoveIPC=no\n");
  EXPECT_THAT(CheckRemoveIpc(plan_), IsOk());
  files_.Write("/usr/lib/systemd/logind.conf.d/10-on.conf",
               "[Login]\nRemoveIPC=yes\n");
  EXPECT_THAT(CheckRemoveIpc(plan_), Warns("yes", "RemoveIPC=no"));
  // Of the same name: it takes the other's place.
  files_.Write("/etc/systemd/logind.conf.d/10-on.conf", "[Login]\n");
  EXPECT_THAT(CheckRemoveIpc(plan_), IsOk());
  files_.Write("/run/systemd/logind.conf.d/20-on.conf",
               "[Login]\nRemoveIPC=on\n");
  EXPECT_THAT(CheckRemoveIpc(plan_), Warns("yes", "RemoveIPC=no"));
  files_.Write("/etc/systemd/logind.conf.d/warmpool.conf",
               "[Login]\nRemoveIPC=no\n");
  EXPECT_THAT(CheckRemoveIpc(plan_), IsOk());
}

}  // namespace
}  // namespace warmpool::doctor
