// Holders by what the kernel says, and by what other kernels would say.
#include "server/clients/holder_registry.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/mutex.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using testing::Eventually;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;

// The kernel's word, changed by the test before it is passed on.
class AlteredPeers final : public PeerSource {
 public:
  using Alteration = std::function<void(Peer*)>;

  absl::StatusOr<Credentials> CredentialsOf(int connection_fd) override {
    Peer peer;
    peer.credentials = *KernelPeerSource::Get().CredentialsOf(connection_fd);
    alteration(&peer);
    return peer.credentials;
  }
  absl::StatusOr<Peer> PeerOf(int connection_fd) override {
    ++opened;
    return Altered(KernelPeerSource::Get().PeerOf(connection_fd));
  }
  absl::StatusOr<Peer> ProcessOf(pid_t pid) override {
    if (lacking) return absl::ResourceExhaustedError("no descriptor");
    absl::StatusOr<Peer> peer = Altered(KernelPeerSource::Get().ProcessOf(pid));
    ++found;
    return peer;
  }
  // How often a process was looked for.
  std::atomic<int> found = 0;
  // There is no descriptor for a process that is looked for.
  std::atomic<bool> lacking = false;
  Alteration alteration = [](Peer*) {};
  // How often a process was looked at that connected.
  int opened = 0;

 private:
  absl::StatusOr<Peer> Altered(absl::StatusOr<Peer> peer) const {
    if (peer.ok()) alteration(&*peer);
    return peer;
  }
};

class HolderRegistryTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(absl::Hours(1)); }

  void Start(absl::Duration grace, size_t max_connections = 1000) {
    HolderRegistry::Options options{
        .admission =
            *Admission::Create(0, {.allowed_uids = {kAlice, kBob, geteuid()}}),
        .max_connections_per_uid = max_connections,
        .grace = grace,
        .retry_pause = absl::Milliseconds(5),
        .recovered_end = recovered_end_,
        .on_added =
            [this](const Holder& holder) {
              MutexLock lock(&mutex_);
              holders_[holder.id] = holder;
            },
        .on_gone =
            [this](const Holder& holder) {
              MutexLock lock(&mutex_);
              holders_.erase(holder.id);
            },
        .on_unconnected =
            [this](const Holder& holder, absl::Time) {
              MutexLock lock(&mutex_);
              unconnected_.push_back(holder.id);
            }};
    registry_ = *HolderRegistry::Create(&peers_, &MonotonicClock::Get(),
                                        std::move(options));
  }

  std::vector<HolderId> unconnected() {
    MutexLock lock(&mutex_);
    return unconnected_;
  }

  std::map<HolderId, Holder> holders() {
    MutexLock lock(&mutex_);
    return holders_;
  }

  struct Pair {
    UniqueFd served;
    UniqueFd client;
  };
  static Pair Connect() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
      std::abort();
    }
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  absl::StatusOr<HolderId> HolderOf(const Pair& pair) {
    const absl::StatusOr<Caller> caller =
        registry_->Resolve(absl::StrCat("fd:", pair.served.get()));
    if (!caller.ok()) return caller.status();
    return caller->holder;
  }
  absl::StatusOr<HolderId> Admitted(const Pair& pair) {
    const absl::Status admitted = registry_->Admit(pair.served.get());
    if (!admitted.ok()) return admitted;
    return HolderOf(pair);
  }

  // A child process, and this process's peers altered to look like it.
  pid_t BecomeAChild() {
    const pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    peers_.alteration = [child](Peer* peer) {
      *peer = *KernelPeerSource::Get().ProcessOf(child);
      peer->credentials.uid = kAlice;
    };
    return child;
  }
  static void End(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }

  AlteredPeers peers_;
  Mutex mutex_;
  std::map<HolderId, Holder> holders_ ABSL_GUARDED_BY(mutex_);
  std::vector<HolderId> unconnected_ ABSL_GUARDED_BY(mutex_);
  int recovered_end_ = std::numeric_limits<int>::max();
  std::unique_ptr<HolderRegistry> registry_;
};

TEST_F(HolderRegistryTest, AProcessIsOneHolderHoweverManyConnectionsItHas) {
  const Pair a = Connect(), b = Connect();
  const HolderId holder = *Admitted(a);
  EXPECT_EQ(*Admitted(b), holder);
  EXPECT_THAT(holders(), SizeIs(1));
  EXPECT_EQ(holders()[holder].pid, getpid());
  EXPECT_EQ(holders()[holder].uid, geteuid());
  EXPECT_NE(holders()[holder].instance, 0u);
}

TEST_F(HolderRegistryTest, KnowsNobodyThatWasNotAdmitted) {
  const Pair pair = Connect();
  EXPECT_THAT(HolderOf(pair), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(registry_->Resolve("unix:/tmp/socket"),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(HolderRegistryTest, RefusesWhoIsNotServedAndAddsNobody) {
  peers_.alteration = [](Peer* peer) { peer->credentials = {4321, {4321}}; };
  EXPECT_THAT(Admitted(Connect()), StatusIs(absl::StatusCode::kPermissionDenied,
                                            HasSubstr("uid 4321")));
  EXPECT_THAT(holders(), SizeIs(0));
  // Anybody can be refused: it must not cost a descriptor.
  EXPECT_EQ(peers_.opened, 0);
}

TEST_F(HolderRegistryTest, OnlyAdminsAreMarkedAsSuch) {
  const Pair a = Connect(), b = Connect();
  peers_.alteration = [](Peer* peer) { peer->credentials.uid = kAlice; };
  const HolderId alice = *Admitted(a);
  peers_.alteration = [](Peer* peer) { peer->credentials.uid = 0; };
  const HolderId root = *Admitted(b);
  EXPECT_FALSE(holders()[alice].admin);
  EXPECT_TRUE(holders()[root].admin);
}

// A process may change its uid between two connections, and must not keep the
// rights that it had, nor get others' leases for what it was.
TEST_F(HolderRegistryTest, AProcessIsAnotherHolderForEachUidItConnectsAs) {
  const Pair a = Connect(), b = Connect();
  peers_.alteration = [](Peer* peer) { peer->credentials.uid = 0; };
  const HolderId as_root = *Admitted(a);
  peers_.alteration = [](Peer* peer) { peer->credentials.uid = kAlice; };
  EXPECT_NE(*Admitted(b), as_root);
  EXPECT_EQ(*HolderOf(a), as_root);
}

TEST_F(HolderRegistryTest, AUsedAgainPidIsAnotherHolder) {
  const Pair a = Connect(), b = Connect();
  peers_.alteration = [](Peer* peer) { peer->instance = 1; };
  const HolderId former = *Admitted(a);
  peers_.alteration = [](Peer* peer) { peer->instance = 2; };
  EXPECT_NE(*Admitted(b), former);
}

TEST_F(HolderRegistryTest, ProcessesOfOtherPidNamespacesAreToldByInstance) {
  const Pair a = Connect(), b = Connect(), c = Connect();
  peers_.alteration = [](Peer* peer) { peer->pid = 0, peer->instance = 1; };
  const HolderId first = *Admitted(a);
  EXPECT_EQ(*Admitted(b), first);
  peers_.alteration = [](Peer* peer) { peer->pid = 0, peer->instance = 2; };
  EXPECT_NE(*Admitted(c), first);
}

TEST_F(HolderRegistryTest, TheEndOfAProcessEndsItsHolderThoughItsSocketLives) {
  const pid_t child = BecomeAChild();
  const Pair pair = Connect();
  ASSERT_THAT(Admitted(pair), IsOk());
  End(child);
  EXPECT_TRUE(Eventually([&] { return holders().empty(); }));
  EXPECT_THAT(HolderOf(pair), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(HolderRegistryTest, LosingItsConnectionsEndsNoHolder) {
  HolderId holder = 0;
  {
    const Pair pair = Connect();
    holder = *Admitted(pair);
  }
  const Pair later = Connect();
  EXPECT_EQ(*Admitted(later), holder);
  EXPECT_THAT(holders(), SizeIs(1));
}

TEST_F(HolderRegistryTest, AGraceAfterItsLastConnectionAHolderIsReportedOnce) {
  Start(absl::Milliseconds(20));
  Pair a = Connect(), b = Connect();
  const HolderId holder = *Admitted(a);
  ASSERT_EQ(*Admitted(b), holder);
  a.client.Reset();
  b.client.Reset();
  EXPECT_TRUE(Eventually([&] { return !unconnected().empty(); }));
  EXPECT_THAT(unconnected(), ElementsAre(holder));
  EXPECT_THAT(holders(), SizeIs(1));
  const Pair later = Connect();
  EXPECT_EQ(*Admitted(later), holder);
}

TEST_F(HolderRegistryTest, WhoeverHasNoConnectionAndNoLeaseIsForgotten) {
  Start(absl::Milliseconds(1));
  const Pair other = Connect();
  Pair a = Connect();
  const HolderId holder = *Admitted(a);
  registry_->Forget(holder);
  EXPECT_THAT(holders(), SizeIs(1)) << "it has a connection";
  a.client.Reset();
  ASSERT_TRUE(Eventually([&] { return !unconnected().empty(); }));
  EXPECT_THAT(holders(), SizeIs(1));
  registry_->Forget(holder);
  EXPECT_THAT(holders(), SizeIs(0));
  // It may come back, as another holder.
  EXPECT_NE(*Admitted(other), holder);
  EXPECT_THAT(holders(), SizeIs(1));
}

// Its leases were looked at before it came back, and it may have others by now.
TEST_F(HolderRegistryTest, WhoeverHasHadAConnectionSinceIsNotForgotten) {
  Start(absl::Milliseconds(500), /*max_connections=*/1);
  Pair a = Connect(), b = Connect(), other = Connect();
  const HolderId holder = *Admitted(a);
  a.client.Reset();
  ASSERT_TRUE(Eventually([&] { return !unconnected().empty(); }));
  ASSERT_EQ(*Admitted(b), holder);
  peers_.alteration = [](Peer* peer) { peer->credentials.uid = kBob; };
  ASSERT_THAT(Admitted(other), IsOk());
  b.client.Reset();
  other.client.Reset();
  // Ends are seen in their order; with the second there is room again.
  const Pair room = Connect(), later = Connect();
  ASSERT_TRUE(Eventually([&] { return Admitted(room).ok(); }));
  peers_.alteration = [](Peer*) {};
  registry_->Forget(holder);
  EXPECT_EQ(*Admitted(later), holder) << "its grace has begun anew";
}

// gRPC may close a connection before its end is seen.
TEST_F(HolderRegistryTest, AConnectionWhoseNumberComesBackCountsNoMore) {
  Start(absl::Milliseconds(20), /*max_connections=*/1);
  Pair a = Connect(), b = Connect();
  const HolderId holder = *Admitted(a);
  ASSERT_GE(dup2(b.served.get(), a.served.get()), 0);
  ASSERT_EQ(*Admitted(a), holder);
  b.client.Reset();
  EXPECT_TRUE(Eventually([&] { return !unconnected().empty(); }));
}

TEST_F(HolderRegistryTest, AConnectionThatEndsMakesRoomForAnother) {
  Start(absl::Hours(1), /*max_connections=*/2);
  Pair a = Connect();
  const Pair b = Connect(), c = Connect();
  ASSERT_THAT(Admitted(a), IsOk());
  ASSERT_THAT(Admitted(b), IsOk());
  EXPECT_THAT(Admitted(c),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr(absl::StrCat("uid ", geteuid()))));
  // Its own descriptor, as gRPC's would, stays for a while.
  a.client.Reset();
  EXPECT_TRUE(Eventually([&] { return Admitted(c).ok(); }));
  EXPECT_THAT(HolderOf(a), IsOk());
}

TEST_F(HolderRegistryTest, OneUidsConnectionsLeaveAnothersAlone) {
  Start(absl::Hours(1), /*max_connections=*/1);
  const Pair a = Connect(), b = Connect(), c = Connect();
  peers_.alteration = [](Peer* peer) { peer->credentials.uid = kAlice; };
  ASSERT_THAT(Admitted(a), IsOk());
  EXPECT_FALSE(Admitted(b).ok());
  peers_.alteration = [](Peer* peer) { peer->credentials.uid = kBob; };
  EXPECT_THAT(Admitted(c), IsOk());
}

TEST_F(HolderRegistryTest, WithoutPidfdTheLastConnectionsEndBeginsAGrace) {
  Start(absl::Milliseconds(20));
  peers_.alteration = [](Peer* peer) { peer->pidfd.Reset(); };
  Pair a = Connect(), b = Connect();
  const HolderId holder = *Admitted(a);
  EXPECT_EQ(*Admitted(b), holder);
  a.client.Reset();
  b.client.Reset();
  EXPECT_TRUE(Eventually([&] { return holders().empty(); }));
}

TEST_F(HolderRegistryTest, WithoutPidfdAReconnectWithinTheGraceKeepsTheHolder) {
  peers_.alteration = [](Peer* peer) { peer->pidfd.Reset(); };
  Pair a = Connect();
  const HolderId holder = *Admitted(a);
  a.client.Reset();
  const Pair later = Connect();
  EXPECT_EQ(*Admitted(later), holder);
}

TEST_F(HolderRegistryTest, WhoCanNotBeToldFromOthersIsAHolderPerConnection) {
  Start(absl::Milliseconds(20));
  peers_.alteration = [](Peer* peer) {
    peer->pid = 0, peer->instance = 0, peer->pidfd.Reset();
  };
  Pair a = Connect();
  const Pair b = Connect();
  const HolderId first = *Admitted(a);
  EXPECT_NE(*Admitted(b), first);
  a.client.Reset();
  EXPECT_TRUE(Eventually([&] { return holders().size() == 1; }));
  EXPECT_THAT(HolderOf(b), IsOk());
}

TEST_F(HolderRegistryTest, ARecoveredProcessIsTheSameHolderWhenItConnects) {
  const uint64_t instance = peers_.ProcessOf(getpid())->instance;
  const absl::StatusOr<HolderId> holder =
      registry_->Recover(getpid(), geteuid(), instance, "worker");
  ASSERT_THAT(holder, IsOk());
  EXPECT_EQ(holders()[*holder].command, "worker");
  EXPECT_EQ(holders()[*holder].uid, geteuid());
  EXPECT_EQ(*registry_->Recover(getpid(), geteuid(), instance, "worker"),
            *holder);
  const Pair pair = Connect();
  EXPECT_EQ(*Admitted(pair), *holder);
}

TEST_F(HolderRegistryTest, ARecoveredProcessIsWatched) {
  const pid_t child = BecomeAChild();
  const uint64_t instance = peers_.ProcessOf(child)->instance;
  ASSERT_THAT(registry_->Recover(child, kAlice, instance, ""), IsOk());
  End(child);
  EXPECT_TRUE(Eventually([&] { return holders().empty(); }));
  peers_.alteration = [](Peer*) {};
  EXPECT_THAT(registry_->Recover(child, kAlice, instance, ""),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(HolderRegistryTest, WithoutPidfdARecoveredProcessHasAGraceToConnect) {
  Start(absl::Milliseconds(20));
  peers_.alteration = [](Peer* peer) { peer->pidfd.Reset(); };
  const uint64_t instance = peers_.ProcessOf(getpid())->instance;
  ASSERT_THAT(registry_->Recover(getpid(), geteuid(), instance, ""), IsOk());
  EXPECT_TRUE(Eventually([&] { return holders().empty(); }));
}

TEST_F(HolderRegistryTest, AProcessThatLacksADescriptorIsRecoveredAllTheSame) {
  const uint64_t instance = peers_.ProcessOf(getpid())->instance;
  peers_.lacking = true;
  const absl::StatusOr<HolderId> holder =
      registry_->Recover(getpid(), geteuid(), instance, "worker");
  ASSERT_THAT(holder, IsOk());
  EXPECT_EQ(holders()[*holder].command, "worker");
  const Pair pair = Connect();
  EXPECT_EQ(*Admitted(pair), *holder);
}

TEST_F(HolderRegistryTest, ItsEndIsSeenOnceThereIsADescriptor) {
  const pid_t child = BecomeAChild();
  const uint64_t instance = peers_.ProcessOf(child)->instance;
  peers_.lacking = true;
  ASSERT_THAT(registry_->Recover(child, kAlice, instance, ""), IsOk());
  const int found = peers_.found;
  peers_.lacking = false;
  EXPECT_TRUE(Eventually([&] { return peers_.found > found; }));
  EXPECT_THAT(holders(), SizeIs(1));
  End(child);
  EXPECT_TRUE(Eventually([&] { return holders().empty(); }));
}

TEST_F(HolderRegistryTest, WhoIsGoneByThenIsSeenToBe) {
  const pid_t child = BecomeAChild();
  const uint64_t instance = peers_.ProcessOf(child)->instance;
  peers_.lacking = true;
  ASSERT_THAT(registry_->Recover(child, kAlice, instance, ""), IsOk());
  End(child);
  peers_.alteration = [](Peer*) {};
  peers_.lacking = false;
  EXPECT_TRUE(Eventually([&] { return holders().empty(); }));
}

TEST_F(HolderRegistryTest, WhoIsRecoveredLeavesDescriptorsToConnections) {
  const pid_t child = BecomeAChild();
  const uint64_t instance = peers_.ProcessOf(child)->instance;
  peers_.alteration = [](Peer*) {};
  recovered_end_ = 0;
  Start(absl::Hours(1));
  ASSERT_THAT(registry_->Recover(child, kAlice, instance, ""), IsOk());
  EXPECT_THAT(holders(), SizeIs(1));
  // It is looked for, and that is all.
  End(child);
  EXPECT_TRUE(Eventually([&] { return holders().empty(); }));
}

TEST_F(HolderRegistryTest, RecoversNobodyWhoIsNotTheSame) {
  const uint64_t instance = peers_.ProcessOf(getpid())->instance;
  for (const auto& [pid, other] :
       std::vector<std::pair<pid_t, uint64_t>>{{getpid(), instance + 1},
                                               {getpid(), 0},
                                               {0, instance},
                                               {getppid(), instance}}) {
    EXPECT_THAT(registry_->Recover(pid, geteuid(), other, ""),
                StatusIs(absl::StatusCode::kNotFound));
  }
  EXPECT_THAT(holders(), SizeIs(0));
}

}  // namespace
}  // namespace warmpool
