// What the daemon writes to its log, as a person or a program reads it.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "server/log/log_value.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// Leases enough for the limit of every second that they may take to expire.
constexpr int kManyLeases = 200;

// A daemon whose log goes where a test can read it.
class LogLinesTest : public ::testing::Test {
 protected:
  LogLinesTest() {
    char directory[] = "/tmp/warmpool-log-XXXXXX";
    directory_ = mkdtemp(directory);
    daemon_ = std::make_unique<ChildProcess>(std::vector<std::string>{
        "/bin/sh", "-c", "exec \"$@\" 2>&1", "sh", "server/warmpoold",
        "--listen=unix:" + Socket(), "--shm_dir=" + ShmDir(),
        "--stock_bytes=0"});
    // Each line as it comes, until it serves.
    for (std::string line; !absl::StrContains(line, " serving ");) {
      line = daemon_->ReadLine();
      if (line.empty()) break;
      absl::StrAppend(&log_, line, "\n");
    }
  }
  ~LogLinesTest() override {
    daemon_.reset();
    std::filesystem::remove_all(directory_);
    std::filesystem::remove_all(ShmDir());
  }

  std::string Socket() const { return directory_ + "/socket"; }
  std::string ShmDir() const { return "/dev/shm" + directory_.substr(4); }

  v1::GrantedLease Lease(RawClient& client, int ttl_ms) {
    v1::LeaseRequest request = RawClient::LeaseOf(4096);
    request.mutable_ttl()->set_seconds(ttl_ms / 1000);
    request.mutable_ttl()->set_nanos(ttl_ms % 1000 * 1000000);
    return client.MustLease(request);
  }

  // Ends the daemon; all that it logged.
  std::string Log() {
    daemon_->Signal(SIGTERM);
    log_ += daemon_->ReadAll();
    return log_;
  }

  std::string directory_;
  std::unique_ptr<ChildProcess> daemon_;
  std::string log_;
};

int CountLines(const std::string& log, const std::string& with) {
  int count = 0;
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    count += absl::StrContains(line, with);
  }
  return count;
}

TEST_F(LogLinesTest, LeasesThatExpireByTheHundredDoNotFillTheLog) {
  RawClient client("unix:" + Socket());
  for (int i = 0; i < kManyLeases; ++i) Lease(client, 1);
  EXPECT_TRUE(Eventually(
      [&] { return client.Stats().leases().expired() == kManyLeases; }));
  const std::string log = Log();
  EXPECT_THAT(log, ContainsRegex("lease ended by the daemon lease=[0-9a-f]{32} "
                                 "holder=[0-9]+ buffer=[^ ]+ cause=expired"));
  EXPECT_LT(CountLines(log, "lease ended by the daemon"), kManyLeases / 4);
}

TEST_F(LogLinesTest, ARefusedLeaseSaysWhyAndWhoAskedAndManyAreLimited) {
  RawClient client("unix:" + Socket());
  v1::LeaseResponse none;
  for (int i = 0; i < kManyLeases; ++i) {
    EXPECT_FALSE(client.Lease(RawClient::LeaseOf(0), &none).ok());
  }
  const std::string log = Log();
  EXPECT_THAT(log, ContainsRegex(absl::StrCat(
                       "lease refused code=INVALID_ARGUMENT bytes=0 "
                       "holder=[0-9]+ pid=",
                       getpid(), " uid=", geteuid(),
                       " command=\"[^\"]+\" reason=\"[^\"]+\"")));
  EXPECT_LT(CountLines(log, "lease refused"), kManyLeases / 4);
}

TEST_F(LogLinesTest, NamesThatAreNoUtf8DoNotFillTheLog) {
  RawClient client("unix:" + Socket());
  v1::LeaseRequest request = RawClient::LeaseOf(4096);
  request.set_name("\xff");
  v1::LeaseResponse none;
  for (int i = 0; i < kManyLeases; ++i) {
    EXPECT_FALSE(client.Lease(request, &none).ok());
  }
  const std::string log = Log();
  EXPECT_THAT(log, ContainsRegex(" warning protobuf complains source=[^ ]+ "
                                 "text=\".*UTF-8"));
  EXPECT_LT(CountLines(log, "UTF-8"), kManyLeases / 4);
}

TEST_F(LogLinesTest, EachLeaseThatIsLeftNamesItsHolder) {
  RawClient client("unix:" + Socket());
  const v1::GrantedLease lease = Lease(client, 60000);
  const std::string log = Log();
  EXPECT_THAT(log, ContainsRegex(absl::StrCat(
                       "lease left lease=[0-9a-f]{32} holder=[0-9]+ pid=",
                       getpid(), " uid=", geteuid(), " command=\"[^\"]+\" ",
                       "buffer=", lease.buffer_name())));
  EXPECT_THAT(log, HasSubstr("stopped leases_left=1"));
}

TEST_F(LogLinesTest, ManyThatAreLeftAreCountedRatherThanListed) {
  RawClient client("unix:" + Socket());
  for (int i = 0; i < kManyLeases; ++i) Lease(client, 60000);
  const std::string log = Log();
  EXPECT_EQ(CountLines(log, "lease left "), 100);
  EXPECT_THAT(log, HasSubstr(absl::StrCat("leases_left=", kManyLeases)));
}

TEST_F(LogLinesTest, AProcessThatNamesItselfWritesNoLineOfItsOwn) {
  char before[16] = "";
  prctl(PR_GET_NAME, before);
  prctl(PR_SET_NAME, "x\"\nwarn forged");
  RawClient client("unix:" + Socket());
  Lease(client, 60000);
  const std::string log = Log();
  prctl(PR_SET_NAME, before);
  EXPECT_THAT(log, Not(HasSubstr("\nwarn forged")));
}

TEST(LogValueTest, TextIsQuotedAndEscaped) {
  EXPECT_EQ(LogValue("a b"), "\"a b\"");
  EXPECT_EQ(LogValue("x\"\ny\x01"), "\"x\\\"\\ny\\001\"");
}

}  // namespace
}  // namespace warmpool::testing
