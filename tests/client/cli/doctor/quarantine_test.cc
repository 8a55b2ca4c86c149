#include "client/cli/doctor/quarantine.h"

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"

namespace warmpool::doctor {
namespace {

QuarantineReadings SomeQuarantined() {
  return {.segments = 2, .bytes = 4 << 20, .looked = absl::OkStatus()};
}

TEST(QuarantineTest, NothingIsOk) {
  EXPECT_THAT(CheckQuarantine(ReadQuarantine({})), IsOk());
}

TEST(QuarantineTest, WhoKeepsItIsNamed) {
  QuarantineReadings readings = SomeQuarantined();
  readings.processes = {{12, 1000, "camera", 4 << 20}, {13, 1000, "", 2 << 20}};
  const Check check = CheckQuarantine(readings);
  EXPECT_THAT(check, Warns("2 segments, 4 MiB are still open or mapped: pid 12 "
                           "(camera, uid 1000) has 4 MiB, pid 13 (?, uid 1000) "
                           "has 2 MiB",
                           "unmap and close"));
  EXPECT_EQ(check.processes.size(), 2u);
}

TEST(QuarantineTest, OfManyTheFirstAreNamed) {
  QuarantineReadings readings = SomeQuarantined();
  for (int pid = 1; pid <= 200; ++pid) {
    readings.processes.push_back({pid, 1000, "camera", 4096});
  }
  const Check check = CheckQuarantine(readings);
  EXPECT_THAT(check, Warns("and 195 more processes", "unmap"));
  EXPECT_EQ(check.processes.size(), kMostProcesses);
}

TEST(QuarantineTest, WhatCantBeSeenIsNotDenied) {
  QuarantineReadings readings = SomeQuarantined();
  readings.looked = absl::PermissionDeniedError("no");
  EXPECT_THAT(CheckQuarantine(readings), Warns("may not see", "as root"));
  readings = SomeQuarantined();
  readings.unseen_processes = 3;
  EXPECT_THAT(CheckQuarantine(readings),
              Warns("3 processes could not be looked into", "as root"));
  readings.unseen_processes = 0;
  EXPECT_THAT(CheckQuarantine(readings), Warns("no process has them", "free"));
}

}  // namespace
}  // namespace warmpool::doctor
