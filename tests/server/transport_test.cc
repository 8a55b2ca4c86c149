// Connections that hang, idle, are cut or refused: what that does to others and
// to leases.
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kTwoMiB = 2 << 20;

int Connect(const DaemonProcess& daemon) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, daemon.target().substr(5).c_str(),
               sizeof(address.sun_path) - 1);
  EXPECT_EQ(
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
      0);
  return fd;
}

// Without waiting for a daemon that is ready.
grpc::StatusCode TryStats(RawClient& client) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  v1::GetStatsResponse response;
  return client.stub()
      .GetStats(&context, v1::GetStatsRequest(), &response)
      .error_code();
}

TEST(TransportTest, AConnectionThatSaysNothingIsCutAfterThreeSeconds) {
  DaemonProcess daemon;
  const absl::Time start = absl::Now();
  const int hung = Connect(daemon);
  // It holds up nobody meanwhile.
  RawClient client(daemon.target());
  EXPECT_EQ(TryStats(client), grpc::StatusCode::OK);
  char byte;
  EXPECT_EQ(recv(hung, &byte, 1, 0), 0);
  EXPECT_GE(absl::Now() - start, absl::Seconds(2.9));
  close(hung);
}

TEST(TransportTest, AConnectionThatSpeaksAnotherProtocolIsCutAtOnce) {
  DaemonProcess daemon;
  const int fd = Connect(daemon);
  ASSERT_EQ(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
  char byte;
  EXPECT_LE(recv(fd, &byte, 1, 0), 0);
  close(fd);
}

// The default is 20 s for a ping and 20 s for its answer; here both are so
// short that a second is as 60 s are then.
TEST(TransportTest, AnIdleBlockingClientKeepsItsConnectionAndItsLease) {
  DaemonProcess daemon({"--ping_interval=300ms", "--ping_timeout=300ms"});
  RawClient client(daemon.target());
  v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
  request.mutable_ttl();
  const v1::GrantedLease lease = client.MustLease(request);
  const size_t descriptors = daemon.CountDescriptors();
  absl::SleepFor(absl::Milliseconds(1200));
  EXPECT_EQ(daemon.CountDescriptors(), descriptors);
  EXPECT_EQ(TryStats(client), grpc::StatusCode::OK);
  EXPECT_EQ(client.Stats().leases().live_leases(), 1u);
  EXPECT_EQ(client.Release(RawClient::ReleaseOf(lease)).code(), 0);
}

TEST(TransportTest, AnUnansweredPingCutsTheConnectionButEndsNoLease) {
  DaemonProcess daemon({"--ping_interval=200ms", "--ping_timeout=200ms"});
  RawClient observer(daemon.target());
  observer.Stats();
  ChildProcess stopped(
      {"tests/server/uid_client", daemon.target(), absl::StrCat(geteuid())});
  stopped.WriteLine(absl::StrCat("lease ", kTwoMiB, " 0 kept"));
  ASSERT_THAT(stopped.ReadLine(), HasSubstr("0 "));
  stopped.WriteLine("session");
  const size_t descriptors = daemon.CountDescriptors();
  // The session must be open before its client stops.
  absl::SleepFor(absl::Milliseconds(100));
  stopped.Signal(SIGSTOP);
  EXPECT_TRUE(
      Eventually([&] { return daemon.CountDescriptors() < descriptors; }));
  EXPECT_EQ(observer.Stats().leases().live_leases(), 1u);
  stopped.Signal(SIGCONT);
  EXPECT_EQ(stopped.ReadLine(), "14");
  stopped.WriteLine("list");
  EXPECT_THAT(stopped.ReadLine(), HasSubstr("kept,"));
}

TEST(TransportTest, ConnectionsComeAgainOnceDescriptorsAreFree) {
  DaemonProcess daemon;
  RawClient first(daemon.target());
  first.Stats();
  rlimit limit{};
  ASSERT_EQ(prlimit(daemon.pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
  limit.rlim_cur = daemon.CountDescriptors() + 6;
  ASSERT_EQ(prlimit(daemon.pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  {
    std::vector<std::unique_ptr<RawClient>> clients;
    int refused = 0;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(std::make_unique<RawClient>(daemon.target()));
      refused += TryStats(*clients.back()) != grpc::StatusCode::OK;
    }
    EXPECT_GT(refused, 0);
    // Those who are connected are served all the while.
    EXPECT_EQ(TryStats(first), grpc::StatusCode::OK);
  }
  EXPECT_TRUE(Eventually([&] {
    RawClient later(daemon.target());
    return TryStats(later) == grpc::StatusCode::OK;
  }));
}

TEST(TransportTest, ConnectionsOfOneUidAreLimitedAndComeAgainAsOthersEnd) {
  DaemonProcess daemon({"--max_connections_per_uid=2"});
  RawClient first(daemon.target());
  first.Stats();
  {
    RawClient second(daemon.target());
    second.Stats();
    RawClient third(daemon.target());
    EXPECT_EQ(TryStats(third), grpc::StatusCode::UNAVAILABLE);
  }
  EXPECT_TRUE(Eventually([&] {
    RawClient later(daemon.target());
    return TryStats(later) == grpc::StatusCode::OK;
  }));
}

TEST(TransportTest, BytesOfOneUidAreLimited) {
  DaemonProcess daemon({"--max_bytes_per_uid=2MiB"});
  RawClient client(daemon.target());
  const v1::GrantedLease lease = client.MustLease(RawClient::LeaseOf(kTwoMiB));
  v1::LeaseResponse response;
  const grpc::Status status = client.Lease(RawClient::LeaseOf(4096), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(),
              HasSubstr(absl::StrCat("uid ", geteuid())));
  client.Release(RawClient::ReleaseOf(lease));
  EXPECT_TRUE(client.Lease(RawClient::LeaseOf(4096), &response).ok());
}

}  // namespace
}  // namespace warmpool::testing
