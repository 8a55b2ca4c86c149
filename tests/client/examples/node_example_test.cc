// The Node example, as the README has it.
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "client/admin/admin_calls.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/examples/readme_commands.h"
#include "tests/client/run_tool.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

// What npm needs in a sandbox, and on a machine that does much else.
void ConfigureNpm() {
  const std::string cache = ::testing::TempDir() + "/npm";
  setenv("npm_config_cache", cache.c_str(), 1);
  setenv("npm_config_audit", "false", 1);
  setenv("npm_config_fund", "false", 1);
  setenv("npm_config_update_notifier", "false", 1);
  setenv("npm_config_fetch_retries", "5", 1);
  // Node trusts a list of its own; this machine may have more.
  constexpr char kAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";
  if (access(kAuthorities, R_OK) == 0) {
    setenv("NODE_EXTRA_CA_CERTS", kAuthorities, 0);
  }
}

TEST(NodeExampleTest, TheReadmeShowsItWhole) {
  const ToolResult diff = RunTool(
      "diff -u client/examples/stats.js "
      "tests/client/examples/readme_stats.js");
  EXPECT_EQ(diff.exit_code, 0) << diff.out << diff.err;
}

TEST(NodeExampleTest, ItTellsWhatTheDaemonTellsOthers) {
  DaemonProcess daemon({"--stock_bytes=0"});
  absl::StatusOr<Client> client = Client::Connect(daemon.target());
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::StatusOr<Buffer> buffer = client->Lease(5 << 20);
  ASSERT_TRUE(buffer.ok()) << buffer.status();

  ConfigureNpm();
  const ToolResult result =
      RunReadmeCommands("tests/client/examples/readme_node.sh",
                        {"s|unix:/tmp/wp.sock|" + daemon.target() + "|"});
  ASSERT_EQ(result.exit_code, 0) << "can npm reach its registry?\n"
                                 << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr(absl::StrCat("daemon ", daemon.pid(),
                                                 ": 1 live leases\n")));
  const absl::StatusOr<v1::GetStatsResponse> stats =
      AdminCalls::Open(daemon.target()).value()->GetStats();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->bytes().leased_bytes(), buffer->mapped_size());
  EXPECT_THAT(result.out,
              HasSubstr(absl::StrCat("capacity_bytes ",
                                     stats->bytes().capacity_bytes(), "\n")));
  EXPECT_THAT(result.out,
              HasSubstr(absl::StrCat("leased_bytes ",
                                     stats->bytes().leased_bytes(), "\n")));
}

}  // namespace
}  // namespace warmpool::testing
