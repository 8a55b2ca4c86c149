// Buffers handed from one client to another, by a real daemon.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "core/base/mutex.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::warmpool::testing::DaemonProcess;
using ::warmpool::testing::Eventually;

constexpr uint64_t kTwoMiB = 2 << 20;

class HandoverTest : public ::testing::Test {
 protected:
  Client Connect(ClientOptions options = {}) {
    absl::StatusOr<Client> client =
        Client::Connect(daemon_.target(), std::move(options));
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  Buffer Filled(const std::string& name, char stamp) {
    absl::StatusOr<Buffer> buffer = giver_.Lease(kTwoMiB, {.name = name});
    EXPECT_THAT(buffer, IsOk());
    std::memset(buffer->data(), stamp, buffer->size());
    return *std::move(buffer);
  }

  v1::GetStatsResponse Stats() { return admin_->GetStats().value(); }

  bool EventuallyWaiting(uint64_t requests) {
    return Eventually(
        [&] { return Stats().leases().waiting_attaches() == requests; });
  }

  DaemonProcess daemon_{
      {"--capacity_bytes=256MiB", "--default_ttl=60s", "--drain_timeout=0"}};
  const std::shared_ptr<AdminCalls> admin_ =
      AdminCalls::Open(daemon_.target()).value();
  Client giver_ = Connect();
  Client taker_ = Connect();
};

// How a child of ours that does `deed` ends.
template <typename Deed>
int StatusOfChild(Deed deed) {
  const pid_t child = fork();
  if (child == 0) {
    // AddressSanitizer would make a report and an exit code of the signal.
    signal(SIGSEGV, SIG_DFL);
    deed();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST_F(HandoverTest, ASealedBufferIsReadInPlace) {
  Buffer buffer = Filled("frame", 'a');
  const std::byte* const data = buffer.data();
  ASSERT_THAT(buffer.Seal(), IsOk());
  EXPECT_TRUE(buffer.sealed());
  EXPECT_FALSE(buffer.writable());
  EXPECT_EQ(buffer.data(), data) << "it stays where it was";
  EXPECT_EQ(buffer.span().back(), std::byte{'a'});
  EXPECT_THAT(buffer.Seal(), IsOk()) << "a second seal changes nothing";

  absl::StatusOr<Buffer> view = taker_.Attach("frame");
  ASSERT_THAT(view, IsOk());
  EXPECT_TRUE(view->sealed());
  EXPECT_EQ(view->span().back(), std::byte{'a'});
  EXPECT_THAT(taker_.Attach("frame", {.writable = true}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(Stats().bytes().leased_bytes(), kTwoMiB);
}

size_t ThreadsOfThis() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

TEST_F(HandoverTest, ManyAreWaitedForWithoutAThreadEach) {
  constexpr int kNames = 300;
  Mutex mutex;
  std::map<int, absl::StatusOr<Buffer>> attached;
  const auto count = [&] {
    MutexLock lock(&mutex);
    return attached.size();
  };
  for (int i = 0; i < kNames; ++i) {
    taker_.AttachAsync(absl::StrCat(i), {.wait = absl::Minutes(1)},
                       [&, i](absl::StatusOr<Buffer> buffer) {
                         MutexLock lock(&mutex);
                         attached.emplace(i, std::move(buffer));
                       });
  }
  ASSERT_TRUE(EventuallyWaiting(kNames));
  EXPECT_LT(ThreadsOfThis(), 40u);
  EXPECT_EQ(count(), 0u);
  for (int i = 0; i < kNames; ++i) {
    Buffer buffer = giver_.Lease(4096, {.name = absl::StrCat(i)}).value();
    buffer.data()[0] = static_cast<std::byte>(i);
    ASSERT_THAT(buffer.Seal({.linger = absl::Minutes(1)}), IsOk());
  }
  ASSERT_TRUE(Eventually([&] { return count() == kNames; }));
  MutexLock lock(&mutex);
  for (auto& [i, buffer] : attached) {
    ASSERT_THAT(buffer, IsOk());
    EXPECT_EQ(buffer->data()[0], static_cast<std::byte>(i));
    EXPECT_THAT(buffer->Release(), IsOk());
  }
}

TEST_F(HandoverTest, AWaitWithoutAThreadOutlivesTheDaemon) {
  std::atomic<bool> attached = false;
  taker_.AttachAsync("frame", {.wait = absl::Minutes(1)},
                     [&](absl::StatusOr<Buffer> buffer) {
                       EXPECT_THAT(buffer, IsOk());
                       attached = true;
                     });
  ASSERT_TRUE(EventuallyWaiting(1));
  daemon_.Kill();
  daemon_.Restart();
  ASSERT_TRUE(EventuallyWaiting(1));
  Buffer buffer = Filled("frame", 'a');
  ASSERT_THAT(buffer.Seal(), IsOk());
  EXPECT_TRUE(Eventually([&] { return attached.load(); }));
}

TEST_F(HandoverTest, AWaitWithoutAThreadEndsAtItsDeadlineAndWithItsClient) {
  std::optional<Client> client = Connect();
  Buffer there = Filled("there", 'a');
  struct {
    std::string name;
    absl::Duration wait;
    absl::StatusCode code;
  } const cases[] = {
      {"missing", absl::ZeroDuration(), absl::StatusCode::kNotFound},
      {"missing", absl::Milliseconds(30), absl::StatusCode::kNotFound},
      {"there", absl::Milliseconds(30), absl::StatusCode::kDeadlineExceeded},
      {"a b", absl::Milliseconds(30), absl::StatusCode::kInvalidArgument},
      {"missing", absl::Hours(1), absl::StatusCode::kCancelled},
  };
  std::atomic<int> called = 0;
  for (const auto& one : cases) {
    client->AttachAsync(
        one.name, {.wait = one.wait}, [&called, code = one.code](auto buffer) {
          EXPECT_EQ(buffer.status().code(), code) << buffer.status();
          ++called;
        });
  }
  EXPECT_TRUE(Eventually([&] { return called == 4; }));
  client.reset();
  EXPECT_EQ(called, 5) << "none is called once the client is gone";
}

TEST_F(HandoverTest, WhoWritesToASealedBufferFaultsAlone) {
  Buffer buffer = Filled("frame", 'a');
  ASSERT_THAT(buffer.Seal(), IsOk());
  Buffer view = taker_.Attach("frame").value();
  for (Buffer* const sealed : {&buffer, &view}) {
    const int status =
        StatusOfChild([&] { sealed->data()[0] = std::byte{'b'}; });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  }
  EXPECT_EQ(view.data()[0], std::byte{'a'});
}

TEST_F(HandoverTest, ABufferThatOthersCanWriteToCantBeSealed) {
  Buffer buffer = Filled("frame", 'a');
  Buffer writer = taker_.Attach("frame", {.writable = true}).value();
  EXPECT_THAT(buffer.Seal(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                      HasSubstr("other leases")));
  buffer.data()[0] = std::byte{'b'};
  EXPECT_EQ(writer.data()[0], std::byte{'b'}) << "it is as it was before";
  EXPECT_THAT(writer.Release(), IsOk());
  EXPECT_THAT(buffer.Seal(), IsOk());
}

TEST_F(HandoverTest, AttachingWaitsForTheSeal) {
  absl::StatusOr<Buffer> view;
  std::thread waits(
      [&] { view = taker_.Attach("frame", {.wait = absl::Seconds(30)}); });
  ASSERT_TRUE(EventuallyWaiting(1));
  Buffer buffer = Filled("frame", 'a');
  EXPECT_EQ(Stats().leases().waiting_attaches(), 1u);
  ASSERT_THAT(buffer.Seal(), IsOk());
  waits.join();
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->span().back(), std::byte{'a'});
}

TEST_F(HandoverTest, AWaitInVainSaysWhatItWaitedFor) {
  const AttachOptions shortly = {.wait = absl::Milliseconds(20)};
  EXPECT_THAT(taker_.Attach("frame", shortly),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("\"frame\"")));
  Buffer buffer = Filled("frame", 'a');
  EXPECT_THAT(
      taker_.Attach("frame", shortly),
      StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("not sealed")));
  EXPECT_THAT(taker_.Attach("frame"),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(Stats().leases().waiting_attaches(), 0u);
}

TEST_F(HandoverTest, AWaitSurvivesTheDaemon) {
  absl::StatusOr<Buffer> view;
  std::thread waits(
      [&] { view = taker_.Attach("frame", {.wait = absl::Seconds(30)}); });
  ASSERT_TRUE(EventuallyWaiting(1));
  daemon_.Restart();
  ASSERT_TRUE(EventuallyWaiting(1));
  Buffer buffer = Filled("frame", 'a');
  ASSERT_THAT(buffer.Seal(), IsOk());
  waits.join();
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->span().back(), std::byte{'a'});
}

TEST_F(HandoverTest, SealsSurviveTheDaemon) {
  Buffer buffer = Filled("frame", 'a');
  ASSERT_THAT(buffer.Seal(), IsOk());
  daemon_.Restart();
  EXPECT_THAT(buffer.Renew(), IsOk());
  Buffer view = taker_.Attach("frame").value();
  EXPECT_EQ(view.span().back(), std::byte{'a'});
  EXPECT_THAT(view.Release(), IsOk());
  EXPECT_THAT(buffer.Release(), IsOk());
  EXPECT_EQ(Stats().bytes().leased_bytes(), 0u);
  EXPECT_EQ(Stats().bytes().quarantined_bytes(), 0u);
}

TEST_F(HandoverTest, AReaderKeepsWhatItsProducerGaveBack) {
  Buffer buffer = Filled("frame", 'a');
  ASSERT_THAT(buffer.Seal(), IsOk());
  Buffer view = taker_.Attach("frame").value();
  EXPECT_THAT(buffer.Release(), IsOk());
  EXPECT_EQ(view.span().back(), std::byte{'a'});
  EXPECT_EQ(Stats().bytes().leased_bytes(), kTwoMiB);
  EXPECT_THAT(view.Release(), IsOk());
  EXPECT_EQ(Stats().bytes().leased_bytes(), 0u);
}

TEST_F(HandoverTest, AWaitThatIsTooLongIsRefusedAndNotCut) {
  for (const absl::Duration wait :
       {absl::Hours(48), absl::InfiniteDuration(), -absl::Seconds(1)}) {
    const auto refused = StatusIs(absl::StatusCode::kInvalidArgument,
                                  ::testing::HasSubstr("0 and 24h"));
    EXPECT_THAT(taker_.Attach("frame", {.wait = wait}), refused);
    absl::Status told;
    taker_.AttachAsync(
        "frame", {.wait = wait},
        [&told](absl::StatusOr<Buffer> view) { told = view.status(); });
    EXPECT_THAT(told, refused);
  }
}

TEST_F(HandoverTest, ALingeringBufferAwaitsItsReader) {
  Buffer buffer = Filled("frame", 'a');
  ASSERT_THAT(buffer.Seal({.linger = absl::Seconds(30)}), IsOk());
  EXPECT_THAT(buffer.Release(), IsOk());
  daemon_.Restart();
  absl::StatusOr<Buffer> view = taker_.Attach("frame");
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->span().back(), std::byte{'a'});
}

TEST_F(HandoverTest, ATicketMovesABuffer) {
  Buffer buffer = Filled("frame", 'a');
  const absl::StatusOr<std::string> ticket = buffer.MakeTicket();
  ASSERT_THAT(ticket, IsOk());
  EXPECT_EQ(ticket->size(), 16u);
  EXPECT_FALSE(buffer.valid());
  EXPECT_EQ(Stats().bytes().leased_bytes(), kTwoMiB);
  absl::StatusOr<Buffer> claimed = taker_.Claim(*ticket);
  ASSERT_THAT(claimed, IsOk());
  EXPECT_TRUE(claimed->writable());
  EXPECT_EQ(claimed->span().back(), std::byte{'a'});
  claimed->data()[0] = std::byte{'b'};
  EXPECT_THAT(taker_.Claim(*ticket),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(claimed->Release(), IsOk());
  EXPECT_EQ(Stats().bytes().leased_bytes(), 0u);
}

TEST_F(HandoverTest, ATicketSurvivesTheDaemonAndItsMaker) {
  std::string ticket;
  {
    Client maker = Connect();
    Buffer buffer = maker.Lease(kTwoMiB).value();
    std::memset(buffer.data(), 'a', buffer.size());
    ticket = buffer.MakeTicket().value();
  }
  daemon_.Restart();
  absl::StatusOr<Buffer> claimed = taker_.Claim(ticket);
  ASSERT_THAT(claimed, IsOk());
  EXPECT_EQ(claimed->span().back(), std::byte{'a'});
}

TEST_F(HandoverTest, AnUnclaimedTicketExpires) {
  Buffer buffer = Filled("frame", 'a');
  const std::string ticket =
      buffer.MakeTicket({.ttl = absl::Milliseconds(20)}).value();
  EXPECT_TRUE(Eventually([&] { return Stats().bytes().leased_bytes() == 0; }));
  EXPECT_THAT(taker_.Claim(ticket),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(HandoverTest, ABufferThatCantBecomeATicketStays) {
  Buffer buffer = Filled("frame", 'a');
  Buffer other = taker_.Attach("frame", {.writable = true}).value();
  EXPECT_THAT(buffer.MakeTicket(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_TRUE(buffer.valid());
  EXPECT_EQ(buffer.span().back(), std::byte{'a'});
  EXPECT_THAT(buffer.Release(), IsOk());
  EXPECT_THAT(buffer.MakeTicket(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(HandoverTest, ThousandsWaitEachForItsOwn) {
  constexpr int kNames = 300;
  std::atomic<int> right = 0;
  std::vector<std::thread> waits;
  for (int i = 0; i < kNames; ++i) {
    waits.emplace_back([&, i] {
      absl::StatusOr<Buffer> view =
          taker_.Attach(absl::StrCat("frame/", i), {.wait = absl::Seconds(60)});
      right += view.ok() && view->data()[0] == std::byte(i % 251);
    });
  }
  ASSERT_TRUE(EventuallyWaiting(kNames));
  for (int i = kNames; i-- > 0;) {
    Buffer buffer =
        giver_.Lease(4096, {.name = absl::StrCat("frame/", i)}).value();
    buffer.data()[0] = std::byte(i % 251);
    ASSERT_THAT(buffer.Seal({.linger = absl::Seconds(60)}), IsOk());
  }
  for (std::thread& thread : waits) thread.join();
  EXPECT_EQ(right, kNames);
}

}  // namespace
}  // namespace warmpool
