#include "client/cli/doctor/trial.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool::doctor {
namespace {

TEST(TrialTest, ItIsTriedAndNothingRemains) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/shm";
  const TrialReadings readings = Try(ReadDirectory(path), path);
  EXPECT_TRUE(readings.place.ok()) << readings.place;
  EXPECT_TRUE(readings.proof.ok()) << readings.proof;
  // Whatever the kernel has, there is an answer.
  EXPECT_TRUE(readings.huge_pages.ok() ||
              !readings.huge_pages.status().message().empty());
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(TrialTest, HugePagesByEitherMethodAreOkAndNoneWarns) {
  TrialReadings readings;
  readings.huge_pages = HugePages::Method::kMount;
  EXPECT_THAT(Named("huge_pages", CheckTrial(readings)), IsOk());
  readings.huge_pages = HugePages::Method::kCollapse;
  EXPECT_THAT(Named("huge_pages", CheckTrial(readings)), IsOk());
  readings.huge_pages = absl::FailedPreconditionError(
      "no huge pages: shmem_enabled says deny: write advise into it");
  EXPECT_THAT(Named("huge_pages", CheckTrial(readings)),
              Warns("write advise into it", "pages of 4 KiB"));
}

TEST(TrialTest, WithoutAProofThereIsNoDaemon) {
  TrialReadings readings;
  readings.proof = absl::FailedPreconditionError("granted though open");
  EXPECT_THAT(Named("proof", CheckTrial(readings)),
              Fails("granted though open", "/dev/shm"));
}

TEST(TrialTest, AProofForRootAloneWarns) {
  TrialReadings readings;
  readings.may_serve_others = true;
  EXPECT_THAT(Named("proof", CheckTrial(readings)), IsOk());
  readings.proof_for_others =
      absl::FailedPreconditionError("lacks CAP_CHOWN: grant it");
  EXPECT_THAT(Named("proof", CheckTrial(readings)),
              Warns("lacks CAP_CHOWN", "CapabilityBoundingSet="));
}

TEST(TrialTest, WhatCouldNotBeTriedIsNotOk) {
  // Nobody can make a directory there, root included.
  const TrialReadings readings =
      Try(ReadDirectory("/proc/self/warmpool"), "/proc/self/warmpool");
  EXPECT_FALSE(readings.place.ok());
  for (const Check& check : CheckTrial(readings)) {
    EXPECT_THAT(check, Warns("not tried: can't make a scratch directory",
                             "daemon's user"));
  }
}

}  // namespace
}  // namespace warmpool::doctor
