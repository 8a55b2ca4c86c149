#include "client/cli/doctor/report.h"

#include "gtest/gtest.h"

namespace warmpool::doctor {
namespace {

TEST(DoctorReportTest, RemediesStandBelowWhatTheyMend) {
  const cli::DoctorReport report = MakeReport(
      {Ok("clock", "tsc"), Warn("huge_pages", "none", "a newer kernel"),
       Fail("shm_size", "64 MiB", "mount it larger")});
  EXPECT_EQ(report.checks(2).verdict(), "fail");
  EXPECT_EQ(report.warned(), 1u);
  EXPECT_EQ(report.failed(), 1u);
  EXPECT_EQ(ReportText(report),
            "ok    clock       tsc\n"
            "warn  huge_pages  none\n"
            "                  -> a newer kernel\n"
            "fail  shm_size    64 MiB\n"
            "                  -> mount it larger\n"
            "3 checks, 1 warn, 1 fail\n");
}

}  // namespace
}  // namespace warmpool::doctor
