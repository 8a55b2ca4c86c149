// The real thing for a while, as a test: see main.cc.
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/core/memory/small_tmpfs.h"
#include "tests/support/child_process.h"

namespace warmpool::torture {
namespace {

TEST(TortureTest, NoPromiseIsBrokenForAMinute) {
  std::vector<std::string> arguments = {
      "tests/torture/torture", "--seconds=60",  "--clients=6",
      "--kill_clients",        "--kill_server", "--stop_clients",
      "--hand_over",           "--failpoints"};
  // Filling a filesystem needs one that nobody else uses.
  if (SmallTmpfs("size=1m").problem().empty()) arguments.push_back("--enospc");
  testing::ChildProcess torture(arguments);
  const std::string output = torture.ReadAll();
  EXPECT_EQ(torture.Wait(), 0);
  std::cout << output;
}

// The reports of its clients wait in their pipes, and are read in any order.
TEST(TortureTest, ADriverThatLagsAccusesNobody) {
  testing::ChildProcess torture(
      {"tests/torture/torture", "--seconds=15", "--kill_clients",
       "--kill_server", "--stop_clients", "--hand_over", "--lag=150ms"});
  const std::string output = torture.ReadAll();
  EXPECT_EQ(torture.Wait(), 0);
  std::cout << output;
}

}  // namespace
}  // namespace warmpool::torture
