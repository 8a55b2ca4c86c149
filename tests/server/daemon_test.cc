// The daemon's life: starting, health, stopping, what it leaves behind.
#include <fcntl.h>
#include <grpcpp/generic/generic_stub.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr uint64_t kTwoMiB = 2 << 20;

// Calls a unary method by name with an empty message; the answer's bytes.
grpc::Status CallByName(RawClient& client, const std::string& method,
                        std::string* answer) {
  grpc::GenericStub stub(client.channel());
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  grpc::CompletionQueue queue;
  const grpc::Slice nothing;
  grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  grpc::Slice slice;
  if (status.ok() && response.DumpToSingleSlice(&slice).ok()) {
    answer->assign(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return status;
}

// Runs a daemon that is expected to refuse; returns what it printed.
std::string RefusalOf(const std::vector<std::string>& flags) {
  std::string command = "server/warmpoold";
  for (const std::string& flag : flags) command += " " + flag;
  ChildProcess shell({"/bin/sh", "-c", "exec " + command + " 2>&1"});
  std::string output;
  for (std::string line = shell.ReadLine(); !line.empty();
       line = shell.ReadLine()) {
    output += line + "\n";
  }
  EXPECT_NE(shell.Wait(), 0);
  return output;
}

TEST(DaemonTest, LeavesNothingBehindWhenNoLeaseIsLeft) {
  DaemonProcess daemon;
  RawClient client(daemon.target());
  const v1::GrantedLease lease = client.MustLease(RawClient::LeaseOf(kTwoMiB));
  EXPECT_EQ(client.Release(RawClient::ReleaseOf(lease)).code(), 0);
  EXPECT_THAT(daemon.SegmentFiles(), SizeIs(1));
  EXPECT_EQ(daemon.Terminate(), 0);
  EXPECT_FALSE(std::filesystem::exists(daemon.shm_dir()));
  EXPECT_FALSE(std::filesystem::exists(daemon.target().substr(5)));
}

TEST(DaemonTest, ADirectoryThatNobodyElseNeedsIsPrivateWhoeverRunsIt) {
  DaemonProcess daemon({"--default_ttl=0"});
  RawClient client(daemon.target());
  client.MustLease(RawClient::LeaseOf(kTwoMiB));
  EXPECT_EQ(daemon.Terminate(), 0);
  struct stat directory;
  ASSERT_EQ(stat(daemon.shm_dir().c_str(), &directory), 0);
  EXPECT_EQ(directory.st_mode & 07777, 0700u);
  // It is there already for the next daemon.
  daemon.Restart();
}

TEST(DaemonTest, ARestartKeepsTheLeasesOfLiveProcesses) {
  DaemonProcess daemon({"--drain_timeout=0", "--default_ttl=0"});
  RawClient client(daemon.target());
  const v1::GrantedLease lease = client.MustLease(RawClient::LeaseOf(kTwoMiB));
  const int fd = open(lease.path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(pwrite(fd, "mine", 4, 0), 4);
  EXPECT_EQ(daemon.Terminate(), 0);
  EXPECT_THAT(daemon.SegmentFiles(), ::testing::ElementsAre(lease.path()));

  daemon.Restart();
  RawClient later(daemon.target());
  EXPECT_EQ(later.Stats().bytes().leased_bytes(), kTwoMiB);
  EXPECT_EQ(later.Stats().leases().live_leases(), 1u);
  EXPECT_NE(later.MustLease(RawClient::LeaseOf(kTwoMiB)).path(), lease.path());
  char bytes[4];
  EXPECT_EQ(pread(fd, bytes, 4, 0), 4);
  EXPECT_EQ(std::string(bytes, 4), "mine");
  close(fd);
  v1::ReleaseRequest release = RawClient::ReleaseOf(lease);
  release.mutable_leases(0)->set_generation(lease.generation());
  EXPECT_EQ(later.Release(release).code(), 0);
  EXPECT_EQ(later.Stats().bytes().retained_bytes(), kTwoMiB);
}

TEST(DaemonTest,
     AKilledDaemonsSuccessorKeepsLeasesAndAnswersTheirRequestsAgain) {
  DaemonProcess daemon;
  RawClient client(daemon.target());
  const v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
  const v1::GrantedLease lease = client.MustLease(request);
  daemon.Kill();
  daemon.Restart();
  RawClient later(daemon.target());
  // Whose answer was lost gets it from the next daemon.
  EXPECT_EQ(later.MustLease(request).lease_id(), lease.lease_id());
  // Generations go on.
  EXPECT_GT(later.MustLease(RawClient::LeaseOf(1)).generation(),
            lease.generation());
  EXPECT_EQ(later.Release(RawClient::ReleaseOf(lease)).code(), 0);
}

TEST(DaemonTest, AStopRefusesNothingButCutsOffWhoeverAsks) {
  for (int i = 0; i < 5; ++i) {
    DaemonProcess daemon({"--log_level=error"});
    std::atomic<int> granted = 0;
    std::vector<std::thread> threads;
    for (int j = 0; j < 4; ++j) {
      threads.emplace_back([&] {
        RawClient client(daemon.target());
        for (;;) {
          v1::LeaseResponse response;
          grpc::ClientContext context;
          context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::seconds(30));
          const grpc::Status status = client.stub().Lease(
              &context, RawClient::LeaseOf(4096), &response);
          if (status.ok()) {
            ++granted;
            continue;
          }
          // What any client takes for a reason to ask again, soon.
          EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
              << status.error_message();
          EXPECT_THAT(status.error_message(), Not(HasSubstr("draining")));
          return;
        }
      });
    }
    EXPECT_TRUE(Eventually([&] { return granted > 100; }));
    EXPECT_EQ(daemon.Terminate(), 0);
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(DaemonTest, AShutdownIsAnsweredBeforeTheDaemonGoes) {
  for (int i = 0; i < 10; ++i) {
    DaemonProcess daemon;
    RawClient client(daemon.target());
    client.MustLease(RawClient::LeaseOf(1));
    v1::ShutdownResponse response;
    const grpc::Status status = client.Call(&RawClient::Stub::Shutdown,
                                            v1::ShutdownRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.live_leases(), 1u);
    EXPECT_TRUE(Eventually(
        [&] { return !std::filesystem::exists(daemon.target().substr(5)); }));
  }
}

TEST(DaemonTest, WaitsForLeasesToBeReleasedBeforeItGoes) {
  DaemonProcess daemon({"--drain_timeout=30s"});
  RawClient client(daemon.target());
  const v1::GrantedLease lease = client.MustLease(RawClient::LeaseOf(kTwoMiB));
  kill(daemon.pid(), SIGTERM);
  EXPECT_TRUE(Eventually([&] { return client.Stats().draining(); }));
  v1::LeaseResponse response;
  EXPECT_EQ(client.Lease(RawClient::LeaseOf(1), &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(client.Release(RawClient::ReleaseOf(lease)).code(), 0);
  EXPECT_TRUE(
      Eventually([&] { return !std::filesystem::exists(daemon.shm_dir()); }));
}

TEST(DaemonTest, ShutdownWithRevokeEndsEverythingThoughItIsMapped) {
  DaemonProcess daemon;
  RawClient client(daemon.target());
  const v1::GrantedLease lease = client.MustLease(RawClient::LeaseOf(kTwoMiB));
  const int fd = open(lease.path().c_str(), O_RDWR | O_CLOEXEC);
  char* const mapped = static_cast<char*>(
      mmap(nullptr, kTwoMiB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  close(fd);
  v1::ShutdownRequest request;
  request.set_revoke(true);
  v1::ShutdownResponse response;
  ASSERT_TRUE(client.Call(&RawClient::Stub::Shutdown, request, &response).ok());
  EXPECT_EQ(response.live_leases(), 1u);
  EXPECT_EQ(response.revoked_leases(), 1u);
  EXPECT_TRUE(
      Eventually([&] { return !std::filesystem::exists(daemon.shm_dir()); }));
  // What a client has mapped stays valid until it unmaps.
  mapped[kTwoMiB - 1] = 1;
  munmap(mapped, kTwoMiB);
}

TEST(DaemonTest, TellsItsHealthAndThatItDrains) {
  DaemonProcess daemon({"--drain_timeout=30s"});
  RawClient client(daemon.target());
  client.MustLease(RawClient::LeaseOf(1));
  // HealthCheckResponse{status: SERVING}, then NOT_SERVING.
  std::string answer;
  ASSERT_TRUE(CallByName(client, "/grpc.health.v1.Health/Check", &answer).ok());
  EXPECT_EQ(answer, "\x08\x01");
  kill(daemon.pid(), SIGTERM);
  EXPECT_TRUE(Eventually([&] {
    return CallByName(client, "/grpc.health.v1.Health/Check", &answer).ok() &&
           answer == "\x08\x02";
  }));
}

TEST(DaemonTest, ServesReflectionOnlyWhenAsked) {
  constexpr char kMethod[] =
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  std::string answer;
  DaemonProcess without;
  RawClient client(without.target());
  EXPECT_EQ(CallByName(client, kMethod, &answer).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  DaemonProcess with({"--reflection"});
  RawClient other(with.target());
  EXPECT_NE(CallByName(other, kMethod, &answer).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST(DaemonTest, ASecondDaemonIsRefusedAndToldWhoHasTheDirectory) {
  DaemonProcess daemon;
  const std::string refusal = RefusalOf(
      {"--shm_dir=" + daemon.shm_dir(), "--listen=" + daemon.target() + "2"});
  EXPECT_THAT(refusal,
              HasSubstr(absl::StrCat("in use by pid ", daemon.pid(),
                                     " (warmpoold, uid ", geteuid(), ")")));
  EXPECT_THAT(refusal, HasSubstr(daemon.target()));
  EXPECT_THAT(RefusalOf({"--shm_dir=" + daemon.shm_dir() + "-other",
                         "--listen=" + daemon.target()}),
              HasSubstr("another process listens"));
  EXPECT_FALSE(std::filesystem::exists(daemon.shm_dir() + "-other"));
}

TEST(DaemonTest, RefusesMistakesOnItsCommandLineByName) {
  EXPECT_THAT(RefusalOf({"--no_such_flag"}), HasSubstr("no_such_flag"));
  EXPECT_THAT(RefusalOf({"--capacity_bytes=-1"}), HasSubstr("-1"));
  EXPECT_THAT(RefusalOf({"--batch_max_age=-1s"}), HasSubstr("batch_max_age"));
  EXPECT_THAT(RefusalOf({"--bigcache_slots=many"}), HasSubstr("many"));
  EXPECT_THAT(RefusalOf({"--shm_dir=/nonexistent/deep"}),
              HasSubstr("/nonexistent/deep"));
  EXPECT_THAT(RefusalOf({"--max_buffer_bytes=0"}), HasSubstr("=0"));
  EXPECT_THAT(RefusalOf({"--listen=tcp:1234"}), HasSubstr("tcp:1234"));
  EXPECT_THAT(RefusalOf({"--listen=unix:/nonexistent/x.sock",
                         absl::StrCat("--shm_dir=/dev/shm/warmpool-test-no-",
                                      getpid())}),
              HasSubstr("mkdir -p -m 0700 /nonexistent"));
  EXPECT_FALSE(std::filesystem::exists("/nonexistent"));
  EXPECT_THAT(RefusalOf({"stray"}), HasSubstr("stray"));
}

TEST(DaemonTest, EveryScalarOfTheVmScenarioIsExact) {
  DaemonProcess daemon({"--bigcache_slots=4", "--bigcache_decay=inf",
                        "--batch_max_age=inf", "--bigcache_bytes=1G",
                        "--huge_pages=never", "--stock_bytes=0"});
  RawClient client(daemon.target());
  v1::ReleaseRequest release;
  for (int i = 0; i < 100; ++i) {
    release.add_leases()->set_lease_id(
        client.MustLease(RawClient::LeaseOf(kTwoMiB)).lease_id());
  }
  EXPECT_EQ(client.Release(release).code(), 0);
  EXPECT_TRUE(
      Eventually([&] { return client.Stats().batch().blocks_waiting() == 0; }));
  const v1::GetStatsResponse stats = client.Stats();
  EXPECT_EQ(stats.bigcache().evictions(), 96u);
  EXPECT_EQ(stats.bigcache().evicted_ring_full(), 96u);
  EXPECT_EQ(stats.batch().blocks_added(), 96u);
  EXPECT_EQ(stats.batch().crossings(), 48u);
  EXPECT_EQ(stats.batch().flushes(), 48u);
  EXPECT_EQ(stats.batch().largest_flush_blocks(), 2u);
  std::map<std::string, uint64_t> calls;
  for (const v1::SystemCallCount& call : stats.system_calls()) {
    calls[call.name()] = call.count();
  }
  EXPECT_EQ(calls["openat"], 100u);
  EXPECT_EQ(calls["fallocate"], 100u);
  EXPECT_EQ(calls["unlinkat"], 96u);
  // The daemon maps no segment of 4 KiB pages, so it has none to unmap.
  EXPECT_EQ(calls["mmap"], 0u);
  EXPECT_EQ(calls["munmap"], 0u);
  EXPECT_THAT(daemon.SegmentFiles(), SizeIs(4));
}

}  // namespace
}  // namespace warmpool::testing
