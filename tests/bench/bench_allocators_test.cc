// bench_allocators counts what the engine does, exactly.
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/bench/allocators/result.pb.h"
#include "tests/support/child_process.h"

namespace warmpool::bench {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::warmpool::testing::ChildProcess;

std::string RunBench(const std::string& flags, int* exit_code) {
  ChildProcess shell({"/bin/sh", "-c",
                      "exec tests/bench/bench_allocators " + flags + " 2>&1"});
  const std::string output = shell.ReadAll();
  *exit_code = shell.Wait();
  return output;
}

// The one row of a run of Warmpool's arm.
Result RunWarmpool(const std::string& flags) {
  const std::string json = ::testing::TempDir() + "/report.json";
  int exit_code = 0;
  const std::string output = RunBench(
      absl::StrCat("--allocator=warmpool_4KiB --repetitions=1 --idle=0 "
                   "--json=",
                   json, " ", flags),
      &exit_code);
  EXPECT_EQ(exit_code, 0) << output;
  std::stringstream text;
  text << std::ifstream(json).rdbuf();
  Report report;
  EXPECT_TRUE(
      google::protobuf::util::JsonStringToMessage(text.str(), &report).ok())
      << text.str();
  EXPECT_EQ(report.rows_size(), 1);
  return report.rows_size() == 1 ? report.rows(0).median() : Result();
}

TEST(BenchAllocatorsTest, VmCountsAreExact) {
  const Result result = RunWarmpool(
      "--scenario=vm --iterations=100 --size=2MiB --bigcache_slots=4 "
      "--batch_threshold_bytes=4MiB --decay=inf --batch_max_age=inf");
  EXPECT_EQ(result.operations(), 100u);
  EXPECT_EQ(result.engine().evictions(), 96u);
  EXPECT_EQ(result.engine().blocks_added(), 96u);
  EXPECT_EQ(result.engine().crossings(), 48u);
  EXPECT_EQ(result.engine().flushes(), 48u);
  // One for each block where the kernel aligns mappings by itself (Linux 6.7),
  // else a reservation and a mapping in it for all but the first; of two blocks
  // in a batch, neighbours need one munmap.
  EXPECT_THAT(result.engine().mmaps(), AnyOf(100u, 199u));
  EXPECT_GE(result.engine().munmaps(), 48u);
  EXPECT_LE(result.engine().munmaps(), 96u);
}

TEST(BenchAllocatorsTest, WithOneMunmapEachTheMemoryLayerCountsOnePerBlock) {
  const Result result = RunWarmpool(
      "--scenario=vm --iterations=100 --bigcache_slots=4 --unmap=each "
      "--batch_threshold_bytes=4MiB --decay=inf --batch_max_age=inf");
  EXPECT_EQ(result.engine().blocks_added(), 96u);
  EXPECT_EQ(result.engine().munmaps(), 96u);
}

TEST(BenchAllocatorsTest, WithSlotsEnoughNothingIsEvicted) {
  const Result result = RunWarmpool(
      "--scenario=vm --iterations=10 --bigcache_slots=16 --decay=inf "
      "--batch_max_age=inf");
  EXPECT_EQ(result.engine().evictions(), 0u);
  EXPECT_EQ(result.engine().blocks_added(), 0u);
  EXPECT_EQ(result.engine().crossings(), 0u);
  EXPECT_EQ(result.engine().munmaps(), 0u);
}

TEST(BenchAllocatorsTest, EveryArmRunsAndIsDrawn) {
  const std::string chart = ::testing::TempDir() + "/chart";
  for (const char* const arms : {"--noablations", "--ablations"}) {
    int exit_code = 0;
    const std::string output =
        RunBench(absl::StrCat(arms,
                              " --scenario=vm --iterations=8 --size=2MiB "
                              "--repetitions=1 --idle=0 --chart=",
                              chart, ".svg"),
                 &exit_code);
    EXPECT_EQ(exit_code, 0) << output;
    EXPECT_THAT(output, ::testing::Not(HasSubstr("can't be loaded")));
  }
  std::ifstream svg(chart + ".svg");
  std::stringstream text;
  text << svg.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("MADV"));
  EXPECT_TRUE(std::ifstream(chart + ".png").good());
}

TEST(BenchAllocatorsTest, RefusesWhatItDoesNotKnowByName) {
  int exit_code = 0;
  EXPECT_THAT(RunBench("--allocator=hoard", &exit_code), HasSubstr("hoard"));
  EXPECT_EQ(exit_code, 1);
  EXPECT_THAT(RunBench("--scenario=lukewarm", &exit_code),
              HasSubstr("lukewarm"));
  EXPECT_EQ(exit_code, 1);
}

}  // namespace
}  // namespace warmpool::bench
