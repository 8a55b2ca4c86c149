// The library where the system has few threads to give: an error that names the
// limit, or all works. It neither ends the process nor waits for ever.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "client/rpc/attach_calls.h"
#include "client/rpc/daemon_channel.h"
#include "client/rpc/daemon_link.h"
#include "client/rpc/local_channel.h"
#include "gtest/gtest.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using ::warmpool::testing::DaemonProcess;

// No other process is this user's, so its limit counts the threads of one.
constexpr uid_t kUser = 61003;
constexpr uint64_t kBytes = 256 << 10;

void SetThreadLimit(rlim_t threads) {
  const rlimit limit = {threads, 1000};
  if (setrlimit(RLIMIT_NPROC, &limit) < 0) _exit(100);
}

enum Outcome { kWorked = 0, kRefused = 1, kWrong = 2, kOddError = 3 };

Outcome Judge(const absl::Status& status) {
  if (status.ok()) return kWorked;
  if (absl::IsResourceExhausted(status) &&
      absl::StrContains(status.message(), "RLIMIT_NPROC allows uid 61003")) {
    return kRefused;
  }
  std::fprintf(stderr, "odd: %s\n", status.ToString().c_str());
  return kOddError;
}

// A process of kUser that exits with what `work` returns. The alarm ends one
// that waits for ever.
pid_t StartAsUser(const std::function<Outcome()>& work) {
  const pid_t child = fork();
  if (child != 0) return child;
  alarm(60);
  const rlimit most = {1000, 1000};
  if (setrlimit(RLIMIT_NPROC, &most) < 0 ||
      setresgid(kUser, kUser, kUser) < 0 ||
      setresuid(kUser, kUser, kUser) < 0) {
    _exit(100);
  }
  _exit(work());
}

int AwaitExit(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

rlim_t AddressSpaceBytes() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

absl::Status LeaseOne(Client& client) {
  const absl::StatusOr<Buffer> buffer = client.Lease(kBytes);
  return buffer.status();
}

int InProcessOfUser(const std::function<Outcome()>& work) {
  return AwaitExit(StartAsUser(work));
}

class ThreadLimitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
    daemon_.emplace(
        std::vector<std::string>{absl::StrCat("--allow_uid=", kUser)});
    const std::filesystem::path socket = daemon_->target().substr(5);
    std::filesystem::permissions(socket.parent_path(),
                                 std::filesystem::perms(0755));
  }

  std::optional<DaemonProcess> daemon_;
};

TEST_F(ThreadLimitTest, ConnectingIsRefusedOrAllWorks) {
  int threads = 1;
  int outcome = kRefused;
  for (; outcome == kRefused; ++threads) {
    ASSERT_LT(threads, 200);
    outcome = InProcessOfUser([&] {
      SetThreadLimit(static_cast<rlim_t>(threads));
      absl::StatusOr<Client> client = Client::Connect(daemon_->target());
      if (!client.ok()) return Judge(client.status());
      return Judge(LeaseOne(*client)) == kWorked ? kWorked : kWrong;
    });
    EXPECT_TRUE(outcome == kRefused || outcome == kWorked)
        << "with " << threads << " threads: " << outcome;
  }
  EXPECT_GT(threads, 5);
}

// Whatever it needs later it has by then.
TEST_F(ThreadLimitTest, AConnectedClientNeedsNoFurtherThread) {
  EXPECT_EQ(InProcessOfUser([&] {
              absl::StatusOr<Client> client = Client::Connect(
                  daemon_->target(), {.deadline = absl::Seconds(20)});
              if (!client.ok()) return kWrong;
              SetThreadLimit(1);
              for (int i = 0; i < 100; ++i) {
                if (Judge(LeaseOne(*client)) != kWorked) return kWrong;
              }
              absl::StatusOr<Buffer> named =
                  client->Lease(kBytes, {.name = "named"});
              if (!named.ok() || !named->Renew().ok()) return kWrong;
              return named->Release().ok() ? kWorked : kWrong;
            }),
            kWorked);
}

TEST_F(ThreadLimitTest, WhatNeedsAThreadLaterSaysSo) {
  EXPECT_EQ(
      InProcessOfUser([&] {
        absl::StatusOr<Client> client = Client::Connect(daemon_->target());
        if (!client.ok()) return kWrong;
        Channel channel = client->OpenChannel("channel");
        SetThreadLimit(1);
        if (Judge(channel.Lease(kBytes).status()) != kRefused) {
          return kWrong;
        }
        absl::Notification called;
        absl::Status attached;
        client->AttachAsync("nothing", {}, [&](absl::StatusOr<Buffer> buffer) {
          attached = buffer.status();
          called.Notify();
        });
        called.WaitForNotification();
        if (Judge(attached) != kRefused) return kWrong;
        // Another client needs threads, too.
        if (Judge(Client::Connect(daemon_->target()).status()) != kRefused) {
          return kWrong;
        }
        SetThreadLimit(1000);
        return Judge(channel.Lease(kBytes).status());
      }),
      kWorked);
}

// The next connection needs threads of its own, though the allocator puts it
// where the last one was.
TEST_F(ThreadLimitTest, EachConnectionsFirstCallWithACallbackIsChecked) {
  EXPECT_EQ(InProcessOfUser([&] {
              const GrpcUse grpc_use;
              const std::string target = daemon_->target();
              DaemonChannel channel(target, target.substr(5));
              if (!channel.WaitForDaemon(absl::Seconds(20)).ok()) return kWrong;
              AttachCalls calls(&channel, [] {});
              const auto attach = [&] {
                absl::Notification called;
                absl::Status attached;
                v1::AttachRequest request;
                request.set_name("nothing");
                request.set_request_id(std::string(16, 'r'));
                request.set_client_id(std::string(16, 'c'));
                calls.Start(std::move(request), absl::Seconds(20),
                            [&](AttachCalls::Outcome outcome) {
                              attached = outcome.status;
                              called.Notify();
                            });
                called.WaitForNotification();
                return attached;
              };
              const DaemonLink* before = nullptr;
              for (int i = 0; i < 200 && before != channel.Current().get();
                   ++i) {
                if (!absl::IsNotFound(attach())) return kWrong;
                before = channel.Current().get();
                channel.RecordLost(channel.Current());
                if (!channel.Link(absl::Seconds(20)).ok()) return kWrong;
              }
              SetThreadLimit(1);
              const Outcome outcome = Judge(attach());
              SetThreadLimit(1000);
              return outcome;
            }),
            kRefused);
}

// The limit that was met, and no other, is named.
TEST_F(ThreadLimitTest, ABufferThatFindsNoAddressSpaceSaysSo) {
  EXPECT_EQ(InProcessOfUser([&] {
              absl::StatusOr<Client> client =
                  Client::Connect(daemon_->target());
              if (!client.ok()) return kWrong;
              // Room for the heap, not for the buffer.
              const rlimit none_left = {AddressSpaceBytes() + (8 << 20),
                                        RLIM_INFINITY};
              const rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
              if (setrlimit(RLIMIT_AS, &none_left) < 0) return kWrong;
              const absl::Status refused =
                  client->Lease(16 << 20, {.name = "large"}).status();
              if (setrlimit(RLIMIT_AS, &unlimited) < 0) return kWrong;
              if (!absl::IsResourceExhausted(refused) ||
                  !absl::StrContains(refused.message(), "RLIMIT_AS allows")) {
                return Judge(refused);
              }
              return Judge(client->Lease(16 << 20).status());
            }),
            kWorked);
}

// It is back as soon as there is one.
TEST_F(ThreadLimitTest, ALostConnectionIsMadeAnewOnceThereIsAThread) {
  int to_daemon[2], to_client[2];
  ASSERT_EQ(pipe(to_daemon), 0);
  ASSERT_EQ(pipe(to_client), 0);
  const pid_t child = StartAsUser([&] {
    absl::StatusOr<Client> client =
        Client::Connect(daemon_->target(), {.deadline = absl::Seconds(1)});
    if (!client.ok()) return kWrong;
    SetThreadLimit(1);
    char turn = 'x';
    if (write(to_daemon[1], &turn, 1) != 1 ||
        read(to_client[0], &turn, 1) != 1) {
      return kWrong;
    }
    if (Judge(client->Lease(kBytes, {.name = "lost"}).status()) != kRefused) {
      return kWrong;
    }
    SetThreadLimit(1000);
    return Judge(client->Lease(kBytes, {.name = "back"}).status());
  });
  // So that a child that ends early is noticed.
  close(to_daemon[1]);
  close(to_client[0]);
  char turn = 0;
  EXPECT_EQ(read(to_daemon[0], &turn, 1), 1);
  daemon_->Kill();
  daemon_->Restart();
  EXPECT_EQ(write(to_client[1], &turn, 1), 1);
  EXPECT_EQ(AwaitExit(child), kWorked);
  close(to_daemon[0]);
  close(to_client[1]);
}

}  // namespace
}  // namespace warmpool
