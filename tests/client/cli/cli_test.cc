// The command-line tool against a real daemon.
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/output.pb.h"
#include "gmock/gmock-matchers.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "tests/client/run_tool.h"
#include "tests/client/scripted_daemon.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

template <typename Message>
Message Parse(const std::string& json) {
  Message message;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << json;
  return message;
}

class CliTest : public ::testing::Test {
 protected:
  ToolResult Run(const std::string& command) {
    return RunTool(
        absl::StrCat("client/warmpool ", command, " --target=", target()));
  }

  // `warmpool lease` in the background, once it has its lease.
  struct Holder {
    std::unique_ptr<ChildProcess> process;
    cli::LeasedBuffer leased;
  };
  Holder StartLease(const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"client/warmpool", "lease", "--json",
                                    "--target=" + target()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Holder holder;
    holder.process = std::make_unique<ChildProcess>(all);
    std::string json;
    for (std::string line; line != "}";) {
      line = holder.process->ReadLine();
      if (line.empty()) break;
      json += line;
    }
    holder.leased = Parse<cli::LeasedBuffer>(json);
    return holder;
  }

  cli::BufferListing List(const std::string& flags = "") {
    return Parse<cli::BufferListing>(Run("list --json " + flags).out);
  }

  std::string target() const { return daemon_.target(); }

  DaemonProcess daemon_;
};

TEST_F(CliTest, StatsAreJsonOrTables) {
  const ToolResult json = Run("stats --json");
  EXPECT_EQ(json.exit_code, 0) << json.err;
  const auto stats = Parse<v1::GetStatsResponse>(json.out);
  EXPECT_EQ(stats.pid(), daemon_.pid());
  EXPECT_GT(stats.bytes().capacity_bytes(), 0u);
  const ToolResult text = Run("stats");
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, HasSubstr(absl::StrCat("pid ", daemon_.pid())));
  EXPECT_THAT(text.out, HasSubstr("capacity"));
  EXPECT_THAT(text.out, HasSubstr("evictions"));
}

TEST_F(CliTest, ALeaseIsHeldUntilItsProcessIsToldToStop) {
  const Holder holder = StartLease({"2MiB", "--name=camera/0", "--ttl=0"});
  EXPECT_EQ(holder.leased.name(), "camera/0");
  EXPECT_EQ(holder.leased.size_bytes(), 2u << 20);
  EXPECT_EQ(holder.leased.warmth(), "fresh");
  EXPECT_EQ(holder.leased.ttl_seconds(), 0);
  ASSERT_THAT(holder.leased.lease_id(), SizeIs(32));

  const cli::BufferListing listing = List();
  ASSERT_EQ(listing.buffers_size(), 1);
  ASSERT_EQ(listing.buffers(0).leases_size(), 1);
  const cli::ListedLease& lease = listing.buffers(0).leases(0);
  EXPECT_EQ(lease.lease_id(), holder.leased.lease_id());
  EXPECT_EQ(lease.pid(), holder.process->pid());
  EXPECT_EQ(lease.command(), "warmpool");

  holder.process->Signal(SIGTERM);
  EXPECT_EQ(holder.process->Wait(), 0);
  EXPECT_EQ(List().buffers_size(), 0);
  const auto stats = Parse<v1::GetStatsResponse>(Run("stats --json").out);
  EXPECT_EQ(stats.leases().released(), 1u);
}

TEST_F(CliTest, TheEndOfAPipeReleasesTheLease) {
  const ToolResult result = RunTool(absl::StrCat(
      "sh -c 'echo | client/warmpool lease 1MiB --target=", target(), "'"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("size    1 MiB"));
}

TEST_F(CliTest, ListTakesFilters) {
  const Holder one = StartLease({"64KiB", "--name=a/1"});
  const Holder two = StartLease({"64KiB", "--name=b/1"});
  EXPECT_EQ(List().buffers_size(), 2);
  EXPECT_EQ(List("--name_prefix=a/").buffers_size(), 1);
  const cli::BufferListing of_two =
      List(absl::StrCat("--holder=", two.process->pid()));
  ASSERT_EQ(of_two.buffers_size(), 1);
  EXPECT_EQ(of_two.buffers(0).name(), "b/1");
  EXPECT_EQ(List("--uid=4294967294").buffers_size(), 0);
  const ToolResult text = Run("list");
  EXPECT_THAT(text.out, HasSubstr("a/1"));
  EXPECT_THAT(text.out, HasSubstr(one.leased.lease_id()));
}

TEST_F(CliTest, ReleaseEndsTheLeaseOfAnother) {
  const Holder holder = StartLease({"64KiB"});
  const ToolResult result = Run("release " + holder.leased.lease_id());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "released " + holder.leased.lease_id() + "\n");
  EXPECT_EQ(List().buffers_size(), 0);
  // Its holder learns of it, and ends by itself.
  EXPECT_EQ(holder.process->Wait(), 1);
}

TEST_F(CliTest, RefusalsOfTheDaemonAreToldInItsWords) {
  const ToolResult unknown = Run("release " + std::string(32, '0'));
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("is not known"));
  const ToolResult too_large = Run("lease 2T");
  EXPECT_EQ(too_large.exit_code, 1);
  EXPECT_THAT(too_large.err, HasSubstr("warmpool: "));
  EXPECT_THAT(too_large.err, Not(HasSubstr("--help")));
}

TEST_F(CliTest, WatchPrintsAsManyLinesAsAskedFor) {
  const ToolResult text = Run("watch --interval=100ms --count=2");
  EXPECT_EQ(text.exit_code, 0) << text.err;
  // With the names of the columns, and nothing after the last newline.
  const std::vector<std::string> lines = absl::StrSplit(text.out, '\n');
  EXPECT_THAT(lines, SizeIs(4));
  const ToolResult json = Run("watch --interval=100ms --count=1 --json");
  EXPECT_EQ(Parse<v1::GetStatsResponse>(json.out).pid(), daemon_.pid());
}

TEST_F(CliTest, EventsPrintsALineForEachEventWithThePrefix) {
  ChildProcess text({"client/warmpool", "events", "--prefix=a/", "--count=3",
                     "--target=" + target()});
  EXPECT_THAT(text.ReadLine(), HasSubstr("resync"));
  ChildProcess json({"client/warmpool", "events", "--json", "--count=2",
                     "--target=" + target()});
  EXPECT_EQ(Parse<cli::BufferEvent>(json.ReadLine()).kind(), "resync");
  const Holder other = StartLease({"64KiB", "--name=b/1"});
  Holder holder = StartLease({"64KiB", "--name=a/1"});
  const std::string created = text.ReadLine();
  EXPECT_THAT(created, HasSubstr("created"));
  EXPECT_THAT(created, HasSubstr("64 KiB  a/1"));
  holder.process->Signal(SIGTERM);
  EXPECT_THAT(text.ReadLine(), HasSubstr("ended"));
  EXPECT_EQ(text.Wait(), 0);
  const auto event = Parse<cli::BufferEvent>(json.ReadLine());
  EXPECT_EQ(event.kind(), "created");
  EXPECT_EQ(event.name(), "b/1");
  EXPECT_EQ(event.size_bytes(), 64u << 10);
  EXPECT_EQ(json.Wait(), 0);
}

TEST_F(CliTest, TrimGivesBackWhatNoLeaseNeeds) {
  Holder holder = StartLease({"2MiB"});
  holder.process->Signal(SIGTERM);
  EXPECT_EQ(holder.process->Wait(), 0);
  const auto stats = [this] {
    return Parse<v1::GetStatsResponse>(Run("stats --json").out);
  };
  EXPECT_EQ(stats().bytes().retained_bytes(), 2u << 20);
  const ToolResult result = Run("trim");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("gave back 2 MiB"));
  EXPECT_EQ(stats().bytes().retained_bytes(), 0u);
  EXPECT_EQ(stats().bigcache().evicted_trimmed(), 1u);
}

TEST_F(CliTest, TheLogLevelIsToldAndChanged) {
  EXPECT_EQ(Run("log-level").out, "warn\n");
  const ToolResult changed = Run("log-level debug");
  EXPECT_EQ(changed.exit_code, 0) << changed.err;
  EXPECT_EQ(changed.out, "debug, was warn\n");
  EXPECT_EQ(Parse<v1::SetLogLevelResponse>(Run("log-level off --json").out)
                .previous(),
            v1::LOG_LEVEL_DEBUG);
  EXPECT_EQ(Run("log-level").out, "off\n");
}

TEST_F(CliTest, ShutdownStopsTheDaemon) {
  const ToolResult result = Run("shutdown --json");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Parse<cli::ShutdownReport>(result.out).live_leases(), 0u);
  const ToolResult after = Run("stats --deadline=100ms");
  EXPECT_EQ(after.exit_code, 1);
  EXPECT_THAT(after.err, HasSubstr("warmpool: "));
}

TEST_F(CliTest, ShutdownReturnsWhenTheNextDaemonCanStart) {
  const Holder holder = StartLease({"4KiB"});
  const ToolResult result = Run("shutdown --json");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto report = Parse<cli::ShutdownReport>(result.out);
  EXPECT_TRUE(report.stopped());
  EXPECT_EQ(report.live_leases(), 1u);
  // What the next one needs is free at this moment.
  EXPECT_FALSE(fs::exists(daemon_.shm_dir() + "/daemon.lock"));
  EXPECT_FALSE(fs::exists(target().substr(5)));
  daemon_.Restart();
  EXPECT_EQ(List().buffers_size(), 1);
}

TEST_F(CliTest, ShutdownFailsIfTheDaemonIsStillThere) {
  DaemonProcess draining({"--drain_timeout=1h"});
  const std::string flags = " --target=" + draining.target();
  ChildProcess holder(
      {"client/warmpool", "lease", "4KiB", "--target=" + draining.target()});
  holder.ReadLine();
  const ToolResult plan = RunTool("client/warmpool shutdown --dry-run" + flags);
  EXPECT_THAT(plan.out, HasSubstr("1h00m at most (--drain_timeout)"));
  const ToolResult late =
      RunTool("client/warmpool shutdown --timeout=50ms" + flags);
  EXPECT_EQ(late.exit_code, 1);
  EXPECT_THAT(late.out, HasSubstr("is stopping"));
  EXPECT_THAT(late.err, HasSubstr("is still there after 50ms"));
  const ToolResult again = RunTool("client/warmpool shutdown" + flags);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("has stopped"));
}

TEST_F(CliTest, ShutdownDoesNotWaitIfToldSo) {
  const ToolResult result = Run("shutdown --nowait --json");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_FALSE(Parse<cli::ShutdownReport>(result.out).stopped());
}

TEST_F(CliTest, ADryRunTellsWhatAStopWouldLoseAndStopsNothing) {
  const Holder holder = StartLease({"4KiB"});
  const auto plan =
      Parse<cli::ShutdownPlan>(Run("shutdown --dry-run --json").out);
  EXPECT_EQ(plan.pid(), daemon_.pid());
  ASSERT_GT(plan.items_size(), 0);
  EXPECT_EQ(plan.items(0).what(), "leases");
  EXPECT_EQ(plan.items(0).count(), 1u);
  EXPECT_EQ(plan.items(0).bytes(), 4096u);
  EXPECT_EQ(plan.items(0).outcome(), "kept");
  ASSERT_EQ(plan.holders_size(), 1);
  EXPECT_EQ(plan.holders(0).pid(), holder.process->pid());
  const auto revoking =
      Parse<cli::ShutdownPlan>(Run("shutdown --dry-run --revoke --json").out);
  EXPECT_EQ(revoking.items(0).outcome(), "lost");
  EXPECT_THAT(Run("shutdown --dry-run").out, HasSubstr("warm memory"));
  EXPECT_EQ(Run("stats").exit_code, 0);
}

TEST(CliUsageTest, TellsItsVersion) {
  EXPECT_THAT(RunTool("client/warmpool --version").out,
              ::testing::MatchesRegex("warmpool [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(CliUsageTest, AnUnknownCommandIsNamedBesideTheKnownOnes) {
  const ToolResult result = RunTool("client/warmpool frobnicate");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(
      result.err,
      HasSubstr("no command \"frobnicate\"; there are stats, top, list, "
                "watch, events, lease, release, trim, shutdown, "
                "log-level, doctor, gc"));
  EXPECT_EQ(RunTool("client/warmpool").exit_code, 2);
}

TEST(CliUsageTest, AWrongCommandLineIsToldWithoutADaemon) {
  for (const std::string command :
       {"stats extra", "lease", "lease 2lightyears", "release", "release 12ab",
        "stats --ttl=3s", "log-level loud", "log-level info off",
        "stats --deadline=-1s", "shutdown --timeout=0s", "list --holder=0",
        "list --sort=colour", "top --order=colour", "top --interval=1ms",
        "events a/", "list --prefix=a/"}) {
    const ToolResult result = RunTool("client/warmpool " + command);
    EXPECT_EQ(result.exit_code, 2) << command;
    EXPECT_THAT(result.err, HasSubstr("Try warmpool --help.")) << command;
  }
}

TEST(CliUsageTest, HelpIsThereForTheToolAndForEachCommand) {
  const ToolResult general = RunTool("client/warmpool --help");
  EXPECT_EQ(general.exit_code, 0);
  EXPECT_THAT(general.out, HasSubstr("Commands:"));
  for (const std::string command :
       {"stats", "top", "list", "watch", "events", "lease", "release", "trim",
        "shutdown", "log-level", "doctor", "gc"}) {
    EXPECT_THAT(general.out, HasSubstr("\n  " + command));
    const ToolResult help = RunTool("client/warmpool " + command + " --help");
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr("\n  warmpool " + command)) << help.out;
    EXPECT_EQ(RunTool("client/warmpool help " + command).out, help.out);
  }
}

TEST(CliListTest, GoesOnAfterAPageWithoutBuffersAndJoinsWhatTwoPagesShow) {
  ScriptedDaemon daemon;
  daemon.Listen();
  daemon.on_list_buffers = [](const v1::ListBuffersRequest& request,
                              v1::ListBuffersResponse* response) {
    const std::string& token = request.page_token();
    const int page = token.empty() ? 0 : std::stoi(token);
    if (page % 2 == 1) {
      v1::Buffer* const buffer = response->add_buffers();
      buffer->set_name("camera/0");
      buffer->add_leases()->set_lease_id(absl::StrCat("lease ", page));
    }
    if (page < 4) response->set_next_page_token(absl::StrCat(page + 1));
    return grpc::Status::OK;
  };
  const ToolResult listed = RunTool(
      absl::StrCat("client/warmpool list --json --target=", daemon.target()));
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  const auto listing = Parse<cli::BufferListing>(listed.out);
  ASSERT_EQ(listing.buffers_size(), 1);
  EXPECT_EQ(listing.buffers(0).leases_size(), 2);
}

}  // namespace
}  // namespace warmpool::testing
