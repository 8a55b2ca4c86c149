// The benchmarks of the cold path run, and print what they are for. How long
// anything takes is of no matter here.
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"

namespace warmpool::bench {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::warmpool::testing::ChildProcess;

std::string RunBench(const std::string& command) {
  ChildProcess shell(
      {"/bin/sh", "-c", absl::StrCat("exec tests/bench/", command, " 2>&1")});
  std::string output = shell.ReadAll();
  EXPECT_EQ(shell.Wait(), 0) << output;
  return output;
}

TEST(BenchColdPathTest, LeasesStandBesideWhatPeopleWriteByHand) {
  EXPECT_THAT(RunBench("bench_cold_leases --rounds=2 --only_small"),
              AllOf(HasSubstr("by hand"), HasSubstr("from stock"),
                    HasSubstr("fresh"), HasSubstr("100%")));
}

TEST(BenchColdPathTest, SegmentsAreMadeAttachedAndGivenBack) {
  const std::string chart = ::testing::TempDir() + "/segments.svg";
  EXPECT_THAT(RunBench("bench_segments --benchmark_filter=65536 "
                       "--benchmark_min_time=0.001 --chart=" +
                       chart),
              AllOf(HasSubstr("BM_MakeByHand"), HasSubstr("BM_Make/written"),
                    HasSubstr("BM_Attach/written"),
                    HasSubstr("BM_GiveBack/never_mapped")));
  std::ifstream file(chart);
  const std::string svg{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(svg, AllOf(HasSubstr("<svg"), HasSubstr("Attach, 64 KiB"),
                         HasSubstr("never mapped, 4 KiB pages")));
}

TEST(BenchColdPathTest, AFullFilesystemRefusesAndRecovers) {
  EXPECT_THAT(
      RunBench("bench_full_filesystem --tries=600"),
      AnyOf(AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("no SIGBUS")),
            HasSubstr("Nothing measured")));
}

}  // namespace
}  // namespace warmpool::bench
