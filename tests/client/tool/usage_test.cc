#include "client/tool/usage.h"

#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "gtest/gtest.h"

ABSL_FLAG(int, answer, 42,
          "A long text that goes on and on, up to the end of the line and then "
          "beyond it, into the next");
ABSL_FLAG(std::string, nothing, "", "Short");

namespace warmpool {
namespace {

bool Wants(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tool");
  return WantsHelp(static_cast<int>(arguments.size()),
                   const_cast<char**>(arguments.data()));
}

TEST(UsageTest, HelpIsAskedForInThreeWays) {
  EXPECT_TRUE(Wants({"--help"}));
  EXPECT_TRUE(Wants({"command", "-help"}));
  EXPECT_TRUE(Wants({"-h", "--x=y"}));
  EXPECT_FALSE(Wants({}));
  EXPECT_FALSE(Wants({"help", "--helpless"}));
  EXPECT_FALSE(Wants({"--", "--help"}));
}

TEST(UsageTest, FlagsAreWrappedAndShowTheirDefaults) {
  EXPECT_EQ(
      FlagsHelp({"answer", "nothing"}),
      "  --answer=42\n"
      "      A long text that goes on and on, up to the end of the line and "
      "then beyond\n"
      "      it, into the next\n"
      "  --nothing\n"
      "      Short\n");
}

}  // namespace
}  // namespace warmpool
