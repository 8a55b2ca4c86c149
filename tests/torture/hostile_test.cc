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
  testing::ChildProcess torture(
      {"tests/torture/torture", "--seconds=25", "--hostile_uid=65534"});
  const std::string output = torture.ReadAll();
  EXPECT_EQ(torture.Wait(), 0);
  std::cout << output;
}

}  // namespace
}  // namespace warmpool::torture
