// What the library does to the process that it is in: its signals, its working
// directory, its core dumps, its children.
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::warmpool::testing::DaemonProcess;
using ::warmpool::testing::Eventually;

constexpr uint64_t kBytes = 256 << 10;

Client Connect(const std::string& target, ClientOptions options = {}) {
  absl::StatusOr<Client> client = Client::Connect(target, options);
  EXPECT_THAT(client, IsOk());
  return *std::move(client);
}

Buffer Lease(Client& client) {
  absl::StatusOr<Buffer> buffer = client.Lease(kBytes);
  EXPECT_THAT(buffer, IsOk());
  return *std::move(buffer);
}

pid_t ThisThread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

// Names of the threads of this process, but `own`, that take one of `signals`.
std::set<std::string> ThreadsThatTake(const std::vector<int>& signals,
                                      const std::set<pid_t>& own) {
  std::set<std::string> taking;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    pid_t thread = 0;
    if (!absl::SimpleAtoi(task.path().filename().string(), &thread)) continue;
    if (own.contains(thread)) continue;
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!absl::StartsWith(line, "SigBlk:")) continue;
      const uint64_t blocked = std::stoull(line.substr(7), nullptr, 16);
      for (const int signal : signals) {
        if ((blocked >> (signal - 1) & 1) == 0) taking.insert(name);
      }
    }
  }
  return taking;
}

// Many threads of the program's, which makes gRPC busy.
void LeaseFromManyThreads(Client& client, const std::string& prefix) {
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 100; ++round) {
        ASSERT_THAT(
            client.Lease(kBytes, {.name = absl::StrCat(prefix, i, "/", round)}),
            IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ProcessTest, NoThreadOfTheLibraryTakesTheProgramsSignals) {
  DaemonProcess daemon;
  Client client = Connect(daemon.target());
  const auto admin = AdminCalls::Open(daemon.target()).value();
  std::set<pid_t> own = {ThisThread()};
  std::atomic<pid_t> watching = 0;
  std::thread watcher([&] {
    watching = ThisThread();
    admin
        ->WatchBuffers("signals/last",
                       [](const v1::BufferEvent& event) {
                         return event.kind() == v1::BufferEvent::KIND_RESYNC;
                       })
        .IgnoreError();
  });
  LeaseFromManyThreads(client, "signals/first/");
  Channel channel = client.OpenChannel("signals");
  ASSERT_THAT(channel.Lease(kBytes), IsOk());
  absl::Notification attached;
  client.AttachAsync("signals/ahead", {.wait = absl::Seconds(10)},
                     [&](absl::StatusOr<Buffer>) { attached.Notify(); });
  Buffer ahead = *client.Lease(kBytes, {.name = "signals/ahead"});
  ASSERT_THAT(ahead.Seal(), IsOk());
  attached.WaitForNotification();
  // A connection anew, and a call that finds it lost.
  daemon.Kill();
  daemon.Restart();
  LeaseFromManyThreads(client, "signals/second/");
  ASSERT_THAT(client.Lease(kBytes, {.name = "signals/last"}), IsOk());

  own.insert(watching);
  EXPECT_THAT(ThreadsThatTake({SIGTERM, SIGINT, SIGUSR1, SIGCHLD}, own),
              ::testing::IsEmpty());

  // So a program that waits for a signal gets it.
  sigset_t terminate, before;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  daemon.Kill();
  watcher.join();
  pthread_sigmask(SIG_BLOCK, &terminate, &before);
  kill(getpid(), SIGTERM);
  const timespec within = {.tv_sec = 30, .tv_nsec = 0};
  EXPECT_EQ(sigtimedwait(&terminate, nullptr, &within), SIGTERM);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// The working directory, which is another's meanwhile.
class Elsewhere {
 public:
  explicit Elsewhere(const std::string& directory) {
    EXPECT_EQ(chdir(directory.c_str()), 0);
  }
  ~Elsewhere() { EXPECT_EQ(chdir(before_.c_str()), 0); }

 private:
  const std::string before_ = fs::current_path().string();
};

TEST(ProcessTest, ASocketNamedRelativelyIsFoundAfterTheDirectoryHasChanged) {
  DaemonProcess daemon;
  const fs::path socket = daemon.target().substr(5);
  absl::StatusOr<Client> connected = absl::UnknownError("not yet");
  {
    const Elsewhere there(socket.parent_path().string());
    connected = Client::Connect("unix:" + socket.filename().string());
  }
  ASSERT_THAT(connected, IsOk());
  Client& client = *connected;
  daemon.Kill();
  daemon.Restart();
  EXPECT_THAT(client.Lease(kBytes, {.name = "after"}), IsOk());
}

TEST(ProcessTest, ARelativeSocketInADirectoryThatWasRemovedIsRefused) {
  std::string removed = ::testing::TempDir() + "/removed-XXXXXX";
  ASSERT_NE(mkdtemp(removed.data()), nullptr);
  const Elsewhere there(removed);
  ASSERT_EQ(rmdir(removed.c_str()), 0);
  EXPECT_THAT(Client::Connect("unix:x.sock").status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("working directory of this process was "
                                 "removed")));
}

TEST(ProcessTest, ARelativePathServesWhereTheAbsoluteOneIsTooLong) {
  DaemonProcess daemon;
  const fs::path deep =
      fs::path(::testing::TempDir()) /
      absl::StrCat("warmpool-", getpid(), std::string(100, 'd'));
  fs::create_directories(deep);
  fs::create_symlink(daemon.target().substr(5), deep / "socket");
  {
    const Elsewhere there(deep.string());
    EXPECT_THAT(Client::Connect("unix:socket"), IsOk());
  }
  fs::remove_all(deep);
}

// VmFlags of the mapping that begins at the address (proc(5)).
std::vector<std::string> FlagsAt(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const std::string begin =
      absl::StrCat(absl::Hex(reinterpret_cast<uintptr_t>(address)), "-");
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    found |= absl::StartsWith(line, begin);
    if (found && absl::StartsWith(line, "VmFlags:")) {
      return absl::StrSplit(line.substr(8), ' ', absl::SkipEmpty());
    }
  }
  return {};
}

bool IsDumped(const Buffer& buffer) {
  const std::vector<std::string> flags = FlagsAt(buffer.data());
  EXPECT_FALSE(flags.empty());
  // "dd": do not include in a core dump.
  return std::find(flags.begin(), flags.end(), "dd") == flags.end();
}

TEST(ProcessTest, ACoreDumpHasNoBuffers) {
  DaemonProcess daemon;
  for (const uint64_t bytes : {uint64_t{4096}, kBytes, uint64_t{4} << 20}) {
    Client client = Connect(daemon.target());
    absl::StatusOr<Buffer> buffer = client.Lease(bytes);
    ASSERT_THAT(buffer, IsOk());
    EXPECT_FALSE(IsDumped(*buffer)) << bytes;
    // It is mapped anew.
    ASSERT_THAT(buffer->Seal(), IsOk());
    EXPECT_FALSE(IsDumped(*buffer)) << bytes;
  }
}

TEST(ProcessTest, ACoreDumpHasBuffersWhereThatIsAskedFor) {
  DaemonProcess daemon;
  Client client = Connect(daemon.target(), {.core_dumps = true});
  Buffer buffer = Lease(client);
  EXPECT_TRUE(IsDumped(buffer));
  ASSERT_THAT(buffer.Seal(), IsOk());
  EXPECT_TRUE(IsDumped(buffer));
}

// A child that stays until this ends; it says first how reading the byte went.
class Child {
 public:
  enum class Reading { kWorks, kFaults };

  Child(const std::byte* byte, std::byte expected) {
    EXPECT_EQ(pipe(said_), 0);
    EXPECT_EQ(pipe(stay_), 0);
    pid_ = fork();
    if (pid_ == 0) Main(byte, expected);
    close(said_[1]);
    close(stay_[0]);
  }
  ~Child() {
    close(stay_[1]);
    waitpid(pid_, nullptr, 0);
    close(said_[0]);
  }

  Reading reading() {
    char answer = 0;
    EXPECT_EQ(read(said_[0], &answer, 1), 1);
    return answer == 'w' ? Reading::kWorks : Reading::kFaults;
  }

 private:
  // Another process reads, so that this one outlives its fault.
  [[noreturn]] void Main(const std::byte* byte, std::byte expected) {
    alarm(60);
    close(stay_[1]);
    const pid_t reader = fork();
    if (reader == 0) {
      const rlimit none = {};
      setrlimit(RLIMIT_CORE, &none);
      signal(SIGSEGV, SIG_DFL);
      _exit(*const_cast<const volatile std::byte*>(byte) == expected ? 0 : 1);
    }
    int status = -1;
    waitpid(reader, &status, 0);
    const char answer = status == 0 ? 'w' : 'f';
    char end;
    const bool ok =
        write(said_[1], &answer, 1) == 1 && read(stay_[0], &end, 1) == 0;
    _exit(ok ? 0 : 1);
  }

  int said_[2];
  int stay_[2];
  pid_t pid_ = 0;
};

size_t Quarantined(AdminCalls& admin) {
  const absl::StatusOr<v1::GetStatsResponse> stats = admin.GetStats();
  EXPECT_THAT(stats, IsOk());
  return stats->quarantine().quarantined_segments();
}

TEST(ProcessTest, AForkedChildReadsBuffersAndKeepsThemFromOthersMeanwhile) {
  DaemonProcess daemon;
  Client client = Connect(daemon.target(), {.lease_cache_bytes = 0});
  const auto admin = AdminCalls::Open(daemon.target()).value();
  Buffer buffer = Lease(client);
  std::memset(buffer.data(), 7, buffer.size());
  {
    Child child(buffer.data(), std::byte{7});
    EXPECT_EQ(child.reading(), Child::Reading::kWorks);
    ASSERT_THAT(buffer.Release(), IsOk());
    EXPECT_TRUE(Eventually([&] { return Quarantined(*admin) == 1; }));
  }
  EXPECT_TRUE(Eventually([&] { return Quarantined(*admin) == 0; }));
}

TEST(ProcessTest, AForkedChildThatInheritsNothingKeepsNothing) {
  DaemonProcess daemon;
  Client client = Connect(daemon.target(),
                          {.lease_cache_bytes = 0, .inherit_on_fork = false});
  const auto admin = AdminCalls::Open(daemon.target()).value();
  Buffer buffer = Lease(client);
  std::memset(buffer.data(), 7, buffer.size());
  Child child(buffer.data(), std::byte{7});
  EXPECT_EQ(child.reading(), Child::Reading::kFaults);
  const std::string file = daemon.SegmentFiles().front();
  ASSERT_THAT(buffer.Release(), IsOk());
  // Warm again, for it was proven that nobody has it.
  Buffer next = Lease(client);
  EXPECT_EQ(next.warmth(), BufferWarmth::kWarm);
  EXPECT_EQ(Quarantined(*admin), 0u);
}

}  // namespace
}  // namespace warmpool
