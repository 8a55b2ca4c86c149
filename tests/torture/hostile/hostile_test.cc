// One user's attacks on a daemon that serves another, as a test: see
// hostile_driver.h.
#include <unistd.h>

#include <iostream>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/child_process.h"

namespace warmpool::torture {
namespace {

TEST(HostileTest, WhatOneUserDoesCostsAnotherNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be several users";
  // How long others wait is printed here, and judged by who runs it by hand:
  // this machine may have other work.
  testing::ChildProcess torture({"tests/torture/torture", "--seconds=25",
                                 "--hostile_uid=65534", "--slowdown=1000"});
  const std::string output = torture.ReadAll();
  EXPECT_EQ(torture.Wait(), 0);
  std::cout << output;
}

}  // namespace
}  // namespace warmpool::torture
