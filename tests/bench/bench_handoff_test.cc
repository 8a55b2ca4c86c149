// The benchmark of handing over runs, prints what it is for, and draws it. How
// long anything takes is of no matter here.
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
using ::testing::HasSubstr;
using ::warmpool::testing::ChildProcess;

TEST(BenchHandoffTest, EveryWayStandsBesideTheOthersAndIsDrawn) {
  const std::string chart = ::testing::TempDir() + "/handoff.svg";
  ChildProcess shell({"/bin/sh", "-c",
                      absl::StrCat("exec tests/bench/bench_handoff "
                                   "--max_size=256KiB --duration=200ms "
                                   "--repetitions=1 --chart=",
                                   chart, " 2>&1")});
  const std::string output = shell.ReadAll();
  EXPECT_EQ(shell.Wait(), 0) << output;
  EXPECT_THAT(output, AllOf(HasSubstr("64 KiB"), HasSubstr("256 KiB"),
                            HasSubstr("grpc_unary"), HasSubstr("grpc_stream"),
                            HasSubstr("warmpool_ticket"),
                            HasSubstr("warmpool_channel"), HasSubstr("GiB/s")));
  std::ifstream file(chart);
  const std::string svg{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(svg, AllOf(HasSubstr("<svg"), HasSubstr("256 KiB"),
                         HasSubstr("grpc unary")));
}

TEST(BenchHandoffTest, EachWaiterIsWokenByItsOwnSeal) {
  ChildProcess bench({"tests/bench/bench_waits", "--waits=50", "--rounds=200"});
  EXPECT_THAT(bench.ReadAll(), HasSubstr("woken wrongly 0, lost 0"));
  EXPECT_EQ(bench.Wait(), 0);
}

}  // namespace
}  // namespace warmpool::bench
