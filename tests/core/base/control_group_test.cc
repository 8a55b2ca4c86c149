#include "core/base/control_group.h"

#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

std::string FileWith(const std::string& text) {
  const std::string path = testing::TempDir() + "control_group_test_file";
  std::ofstream(path) << text;
  return path;
}

TEST(ControlGroupTest, ReadsNumbersAndNothingElse) {
  EXPECT_EQ(ReadNumber(FileWith("4096\n")), 4096u);
  EXPECT_EQ(ReadNumber(FileWith("max\n")), std::nullopt);
  EXPECT_EQ(ReadNumber("/nonexistent/file"), std::nullopt);
  EXPECT_EQ(ReadSmallFile("/nonexistent/file"), "");
}

TEST(ControlGroupTest, AControllerIsAWholeWordOfTheList) {
  EXPECT_TRUE(HasController("cpu,memory,pids", "memory"));
  EXPECT_TRUE(HasController("pids", "pids"));
  EXPECT_FALSE(HasController("cpuset", "cpu"));
  EXPECT_FALSE(HasController("", "cpu"));
}

TEST(ControlGroupTest, ReadsTheGroupsOfBothVersions) {
  const std::vector<ControlGroup> groups = ReadControlGroups(
      FileWith("8:cpu,pids:/pods/a:b\n0::/user.slice\nnot a group\n"));
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_FALSE(groups[0].is_v2);
  EXPECT_EQ(groups[0].controllers, "cpu,pids");
  EXPECT_EQ(groups[0].path, "/pods/a:b");
  EXPECT_TRUE(groups[1].is_v2);
  EXPECT_EQ(groups[1].path, "/user.slice");
}

}  // namespace
}  // namespace warmpool
