// What a daemon takes over from one that was killed: leases whose holders are
// still to show themselves, and files that nobody knows.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kClient[] = "tests/e2e/pattern_client";
constexpr uint64_t kBytes = 64 << 10;

class RecoveryTest : public ::testing::Test {
 protected:
  // Of the only lease there is.
  static v1::BufferLease OnlyLease(RawClient& client) {
    v1::ListBuffersResponse response;
    client.Call(&RawClient::Stub::ListBuffers, v1::ListBuffersRequest(),
                &response);
    if (response.buffers_size() != 1 ||
        response.buffers(0).leases_size() != 1) {
      return v1::BufferLease();
    }
    return response.buffers(0).leases(0);
  }

  // A file that strays into the directory, held open if anybody wants its
  // descriptor.
  int Stray(const std::string& name) {
    const std::string path = daemon_.shm_dir() + "/" + name;
    std::ofstream(path) << std::string(10'000, 'x');
    return open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }

  // Names in quarantine that begin so.
  std::vector<std::string> InQuarantine(const std::string& prefix) {
    std::vector<std::string> names;
    std::error_code gone;
    for (const auto& entry :
         fs::directory_iterator(daemon_.shm_dir() + "/private", gone)) {
      const std::string name = entry.path().filename().string();
      if (absl::StartsWith(name, prefix)) names.push_back(name);
    }
    return names;
  }

  DaemonProcess daemon_{{"--drain_timeout=0", "--capacity_bytes=64MiB"}};
};

TEST_F(RecoveryTest, ALeaseIsRecoveringUntilItsClientReconciles) {
  ChildProcess holder(
      {kClient, "hold", daemon_.target(), "held", absl::StrCat(kBytes)});
  ASSERT_NE(holder.ReadLine(), "");
  {
    RawClient client(daemon_.target());
    EXPECT_EQ(OnlyLease(client).state(), v1::LEASE_STATE_LIVE);
  }
  holder.Signal(SIGSTOP);
  daemon_.Kill();
  daemon_.Restart();
  RawClient client(daemon_.target());
  EXPECT_EQ(OnlyLease(client).state(), v1::LEASE_STATE_RECOVERING);
  EXPECT_EQ(OnlyLease(client).pid(), holder.pid());
  EXPECT_EQ(client.Stats().leases().recovering_leases(), 1u);
  EXPECT_EQ(client.Stats().leases().live_leases(), 1u);
  holder.Signal(SIGCONT);
  EXPECT_TRUE(Eventually(
      [&] { return OnlyLease(client).state() == v1::LEASE_STATE_LIVE; }));
  EXPECT_EQ(client.Stats().leases().recovering_leases(), 0u);
  holder.Signal(SIGKILL);
  holder.Wait();
}

// As under a seccomp filter that refuses pidfd_open: processes that connect are
// told by the socket, those of the journal can't be.
TEST(RecoveryWithoutPidfdsTest, ALeaseOutlivesTheDaemonAndEndsWithItsHolder) {
  DaemonProcess daemon({"--capacity_bytes=64MiB"},
                       "tests/support/without_pidfds");
  ChildProcess holder(
      {kClient, "hold", daemon.target(), "held", absl::StrCat(kBytes)});
  ASSERT_NE(holder.ReadLine(), "");
  ChildProcess doomed(
      {kClient, "hold", daemon.target(), "doomed", absl::StrCat(kBytes)});
  ASSERT_NE(doomed.ReadLine(), "");
  holder.Signal(SIGSTOP);
  doomed.Signal(SIGSTOP);
  daemon.Kill();
  daemon.Restart();
  RawClient client(daemon.target());
  EXPECT_EQ(client.Stats().leases().recovering_leases(), 2u);
  // One that has not come back is missed all the same.
  doomed.Signal(SIGKILL);
  doomed.Wait();
  EXPECT_TRUE(
      Eventually([&] { return client.Stats().leases().live_leases() == 1; }));
  holder.Signal(SIGCONT);
  EXPECT_TRUE(Eventually(
      [&] { return client.Stats().leases().recovering_leases() == 0; }));
  EXPECT_EQ(client.Stats().leases().live_leases(), 1u);
  holder.Signal(SIGKILL);
  holder.Wait();
  EXPECT_TRUE(
      Eventually([&] { return client.Stats().leases().live_leases() == 0; }));
}

TEST_F(RecoveryTest, AnUnknownFileIsQuarantinedAndEndedOnceNobodyHasIt) {
  daemon_.Kill();
  close(Stray("notes.txt"));
  const int held = Stray("held.txt");
  ASSERT_GE(held, 0);
  const std::string directory = daemon_.shm_dir() + "/directory";
  fs::create_directory(directory);
  daemon_.Restart();
  RawClient client(daemon_.target());
  EXPECT_FALSE(fs::exists(daemon_.shm_dir() + "/notes.txt"));
  EXPECT_FALSE(fs::exists(daemon_.shm_dir() + "/held.txt"));
  EXPECT_TRUE(Eventually([&] { return InQuarantine("notes.txt").empty(); }));
  EXPECT_TRUE(Eventually(
      [&] { return client.Stats().quarantine().quarantined_segments() == 1; }));
  ASSERT_EQ(InQuarantine("held.txt").size(), 1u);
  EXPECT_GE(client.Stats().bytes().quarantined_bytes(), 10'000u);

  // Nor does the daemon after this one forget it.
  daemon_.Kill();
  daemon_.Restart();
  RawClient later(daemon_.target());
  EXPECT_EQ(later.Stats().quarantine().quarantined_segments(), 1u);
  close(held);
  EXPECT_TRUE(Eventually([&] { return InQuarantine("held.txt").empty(); }));
  EXPECT_TRUE(Eventually(
      [&] { return later.Stats().bytes().quarantined_bytes() == 0; }));
  EXPECT_TRUE(fs::exists(directory)) << "it is no regular file";
}

}  // namespace
}  // namespace warmpool::testing
