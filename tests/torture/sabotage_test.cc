// Whether the torture test notices each promise that is really broken.
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/memory/small_tmpfs.h"
#include "tests/support/child_process.h"

namespace warmpool::torture {
namespace {

struct Case {
  std::string sabotage;
  // Any of these tells of it.
  std::vector<std::string> breaches;
  bool needs_small_filesystem = false;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.sabotage; }
};

class SabotageTest : public ::testing::TestWithParam<Case> {};

TEST_P(SabotageTest, IsNoticed) {
  std::vector<std::string> arguments = {
      "tests/torture/torture", "--seconds=60",
      "--kill_clients",        "--stop_clients",
      "--hand_over",           "--sabotage=" + GetParam().sabotage};
  if (GetParam().needs_small_filesystem) {
    const std::string problem = SmallTmpfs("size=1m").problem();
    if (!problem.empty()) GTEST_SKIP() << problem;
    arguments.push_back("--enospc");
  } else {
    arguments.push_back("--kill_server");
  }
  testing::ChildProcess torture(arguments);
  const std::string output = torture.ReadAll();
  EXPECT_EQ(torture.Wait(), 1);
  const size_t breach = output.find("torture: breach: ");
  ASSERT_NE(breach, std::string::npos) << output;
  const std::string told =
      output.substr(breach, output.find('\n', breach) - breach);
  bool known = false;
  for (const std::string& text : GetParam().breaches) {
    known = known || told.find(text) != std::string::npos;
  }
  EXPECT_TRUE(known) << told;
}

// How it shows that a lease, a ticket or what lingers is gone.
const std::vector<std::string>& Losses() {
  static const auto* const losses = new std::vector<std::string>{
      "is lost", "not among the daemon's", "is not there", "does not linger",
      "can't attach", "was refused",
      // Of what was lost, given again.
      "was granted generation", "was granted, as lease",
      "was granted pages with the stamps"};
  return *losses;
}

// And that something is back that was over.
std::vector<std::string> LossesAndRevenants() {
  std::vector<std::string> all = Losses();
  for (const char* text : {"was released", "claimed", "lingers", "outlives",
                           "that nobody made", "which is dead"}) {
    all.push_back(text);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    All, SabotageTest,
    ::testing::Values(
        Case{"double_grant",
             {"was granted pages with the stamps", "was granted, as lease",
              " has a page of ", "changed while a forked child",
              "mapped without a lease", "mapped that was unlinked"}},
        Case{"leaked_file", {"the directory has"}},
        Case{"no_pages",
             {"ended by signal 7", " bytes in the directory",
              "the directory has"},
             /*needs_small_filesystem=*/true},
        Case{"deaf_daemon", {"ago and still has lease"}},
        // Clients assert their leases, and so have most of them back.
        Case{"no_journal", Losses()}, Case{"lost_lease", Losses()},
        Case{"changed_seal", {" has a page of "}},
        Case{"kept_memory", {"are quarantined"}},
        Case{"old_journal", LossesAndRevenants()}),
    [](const auto& info) { return info.param.sabotage; });

}  // namespace
}  // namespace warmpool::torture
