#include "client/cli/gc/report.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool::gc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LeftDirectory Left() {
  return {.tenant = std::nullopt,
          .is_marked = true,
          .files = {{.name = "a.seg",
                     .kind = LeftFile::Kind::kSegment,
                     .uid = 1000,
                     .bytes = 2 << 20,
                     .id = {1, 1}},
                    {.name = "b.seg",
                     .kind = LeftFile::Kind::kSegment,
                     .uid = 1000,
                     .bytes = 1 << 20,
                     .id = {1, 2}},
                    {.name = "private/journal",
                     .kind = LeftFile::Kind::kOwn,
                     .uid = 0,
                     .bytes = 4096,
                     .id = {1, 3}}}};
}

FileUser Reader() {
  FileUser user;
  user.pid = 71;
  user.uid = 1000;
  user.command = "reader";
  user.mapped = {{1, 1}};
  return user;
}

TEST(LeftoverReportTest, FilesStandBesideThoseWhoHaveThem) {
  FileUsers users;
  users.users = {Reader()};
  const cli::LeftoverReport report = MakeReport("/dev/shm/x", Left(), users);
  EXPECT_EQ(report.used_segments(), 1u);
  EXPECT_EQ(report.used_bytes(), 2u << 20);
  EXPECT_EQ(report.unused_segments(), 1u);
  EXPECT_EQ(report.unused_bytes(), 1u << 20);
  EXPECT_EQ(
      ReportText(report),
      "/dev/shm/x: no daemon has it\n\n"
      "FILE             KIND      UID   SIZE  MAPPED BY  OPEN IN\n"
      "a.seg            segment  1000  2 MiB  71         -\n"
      "b.seg            segment  1000  1 MiB  -          -\n"
      "private/journal  own         0  4 KiB  -          -\n\n"
      "PID   UID  COMMAND  MAPPED  OPEN\n"
      " 71  1000  reader        1     0\n\n"
      "segments in use 1 (2 MiB), that nobody has 1 (1 MiB)\n"
      "A daemon that is started on this directory takes up the leases of "
      "processes that\nlive, and ends what nobody has. Where none will follow "
      "and no process is above:\nrm -r /dev/shm/x\n");
}

TEST(LeftoverReportTest, NobodyIsAdvisedToRemoveWhatIsNotWarmpools) {
  LeftDirectory directory = Left();
  directory.files.push_back({.name = "passwd",
                             .kind = LeftFile::Kind::kUnknown,
                             .uid = 0,
                             .bytes = 4096,
                             .id = {1, 9}});
  std::string text = ReportText(MakeReport("/etc", directory, FileUsers()));
  EXPECT_THAT(text, HasSubstr("/etc has files in it that no daemon made"));
  EXPECT_THAT(text, Not(HasSubstr("rm -r")));
  directory = Left();
  directory.is_marked = false;
  text = ReportText(MakeReport("/etc", directory, FileUsers()));
  EXPECT_THAT(text, HasSubstr("/etc is no daemon's directory"));
  EXPECT_THAT(text, Not(HasSubstr("rm -r")));
}

TEST(LeftoverReportTest, OfALivingDaemonNothingIsLeft) {
  LeftDirectory directory = Left();
  directory.tenant = "pid 12, serving unix:/x";
  const std::string text =
      ReportText(MakeReport("/dev/shm/x", directory, FileUsers()));
  EXPECT_THAT(text, HasSubstr("not left behind, a daemon has it: pid 12"));
  EXPECT_THAT(text, Not(HasSubstr("rm -r")));
}

TEST(LeftoverReportTest, RemovedFilesCountAndUnseenProcessesAreTold) {
  FileUsers users;
  users.users = {Reader()};
  users.removed[{1, 1}] = {"/dev/shm/x/gone.seg", 4 << 20};
  users.unseen = {{0, 61}, {33, 2}};
  const cli::LeftoverReport report =
      MakeReport("/dev/shm/x", LeftDirectory(), users);
  EXPECT_EQ(report.used_bytes(), 4u << 20);
  const std::string text = ReportText(report);
  EXPECT_THAT(text, HasSubstr("/dev/shm/x/gone.seg  removed"));
  EXPECT_THAT(text, HasSubstr("61 of uid 0, 2 of uid 33"));
}

TEST(LeftoverReportTest, NothingIsSaidInFewWords) {
  EXPECT_EQ(ReportText(MakeReport("/dev/shm/x", LeftDirectory(), FileUsers())),
            "/dev/shm/x: no daemon has it\n\n"
            "segments in use 0 (0 B), that nobody has 0 (0 B)\n");
}

}  // namespace
}  // namespace warmpool::gc
