// A root daemon and processes of several uids: who is served, who sees and
// commands what, and whose pages go to whom. Needs root.
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr uint64_t kTwoMiB = 2 << 20;
constexpr uid_t kAlice = 54321;
constexpr uid_t kBob = 54322;
constexpr uid_t kCarol = 54323;
constexpr gid_t kFriends = 54400;

// Status codes as uid_client prints them.
constexpr char kOk[] = "0";
constexpr char kPermissionDenied[] = "7";
constexpr char kFailedPrecondition[] = "9";
constexpr char kUnavailable[] = "14";

// A process of its own that runs as `uid`.
class UidClient {
 public:
  UidClient(const DaemonProcess& daemon, uid_t uid,
            const std::vector<gid_t>& groups = {})
      : process_(Arguments(daemon, uid, groups)) {}

  std::string Ask(const std::string& line) {
    Tell(line);
    return Hear();
  }
  void Tell(const std::string& line) { process_.WriteLine(line); }
  std::string Hear() { return process_.ReadLine(); }
  void Kill() {
    process_.Signal(SIGKILL);
    process_.Wait();
  }

  struct Lease {
    std::string code;
    std::string id;
    std::string warmth;
    std::string path;
  };
  Lease MakeLease(const std::string& name, int ttl_seconds = 0) {
    std::istringstream words(
        Ask(absl::StrCat("lease ", kTwoMiB, " ", ttl_seconds, " ", name)));
    Lease lease;
    words >> lease.code >> lease.id >> lease.warmth >> lease.path;
    return lease;
  }

  ChildProcess& process() { return process_; }

 private:
  static std::vector<std::string> Arguments(const DaemonProcess& daemon,
                                            uid_t uid,
                                            const std::vector<gid_t>& groups) {
    std::vector<std::string> arguments = {"tests/server/uid_client",
                                          daemon.target(), absl::StrCat(uid)};
    for (const gid_t group : groups) arguments.push_back(absl::StrCat(group));
    return arguments;
  }

  ChildProcess process_;
};

class TrustTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be several uids";
  }

  void Start(std::vector<std::string> flags) {
    daemon_ = std::make_unique<DaemonProcess>(flags);
    // The test's directory is its owner's alone.
    std::filesystem::permissions(
        std::filesystem::path(SocketPath()).parent_path(),
        std::filesystem::perms::others_exec,
        std::filesystem::perm_options::add);
  }
  void StartForAliceAndBob() {
    Start({absl::StrCat("--allow_uid=", kAlice, ",", kBob)});
  }
  std::string SocketPath() const { return daemon_->target().substr(5); }
  mode_t SocketMode() const {
    struct stat file {};
    stat(SocketPath().c_str(), &file);
    return file.st_mode & 0777;
  }

  // Requests to attach that wait.
  uint64_t Waiting() {
    RawClient client(daemon_->target());
    v1::GetStatsResponse stats;
    client.Call(&RawClient::Stub::GetStats, v1::GetStatsRequest(), &stats);
    return stats.leases().waiting_attaches();
  }

  std::unique_ptr<DaemonProcess> daemon_;
};

TEST_F(TrustTest, ADaemonThatServesRootAloneCanNotBeConnectedToByOthers) {
  Start({});
  EXPECT_EQ(SocketMode(), 0600u);
  EXPECT_EQ(UidClient(*daemon_, kAlice).Ask("stats"), kUnavailable);
  EXPECT_EQ(UidClient(*daemon_, 0).Ask("stats"), kOk);
}

TEST_F(TrustTest, OnlyThoseWhoAreAllowedAreServed) {
  StartForAliceAndBob();
  EXPECT_EQ(SocketMode(), 0666u);
  EXPECT_EQ(UidClient(*daemon_, kAlice).Ask("stats"), kOk);
  EXPECT_EQ(UidClient(*daemon_, kCarol).Ask("stats"), kUnavailable);
  EXPECT_EQ(UidClient(*daemon_, 0).Ask("stats"), kOk);
}

TEST_F(TrustTest, MembersOfAnAllowedGroupAreServed) {
  Start({absl::StrCat("--allow_gid=", kFriends)});
  EXPECT_EQ(UidClient(*daemon_, kAlice, {1, kFriends}).Ask("stats"), kOk);
  EXPECT_EQ(UidClient(*daemon_, kAlice, {1}).Ask("stats"), kUnavailable);
  // Nobody else gets as far as to be refused.
  struct stat file {};
  ASSERT_EQ(stat(SocketPath().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0660u);
  EXPECT_EQ(file.st_gid, kFriends);
}

TEST_F(TrustTest, MembersOfOneOfSeveralGroupsAreServed) {
  Start({absl::StrCat("--allow_gid=1,", kFriends)});
  EXPECT_EQ(SocketMode(), 0666u);
  EXPECT_EQ(UidClient(*daemon_, kAlice, {kFriends}).Ask("stats"), kOk);
}

TEST_F(TrustTest, ASegmentIsItsUidsAlone) {
  StartForAliceAndBob();
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob);
  const UidClient::Lease lease = alice.MakeLease("hers");
  ASSERT_EQ(lease.code, kOk);
  EXPECT_EQ(alice.Ask(absl::StrCat("map ", lease.path, " ", kTwoMiB)), "0");
  EXPECT_EQ(bob.Ask(absl::StrCat("map ", lease.path, " ", kTwoMiB)),
            absl::StrCat(EACCES));
}

TEST_F(TrustTest, AUidSeesAndCommandsItsOwnBuffersOnly) {
  StartForAliceAndBob();
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob);
  const UidClient::Lease hers = alice.MakeLease("hers");
  ASSERT_EQ(bob.MakeLease("his").code, kOk);
  EXPECT_THAT(alice.Ask("list"),
              AllOf(HasSubstr("hers,"), Not(HasSubstr("his,"))));
  EXPECT_THAT(bob.Ask("list"),
              AllOf(HasSubstr("his,"), Not(HasSubstr("hers,"))));
  EXPECT_EQ(bob.Ask("attach hers"), "5");
  EXPECT_EQ(bob.Ask("release " + hers.id), kPermissionDenied);
  EXPECT_EQ(bob.Ask("revoke " + hers.id), kPermissionDenied);
  EXPECT_EQ(bob.Ask("renew " + hers.id), kPermissionDenied);
  EXPECT_EQ(bob.Ask("shutdown"), kPermissionDenied);
  EXPECT_EQ(bob.Ask("loglevel"), kPermissionDenied);
  EXPECT_EQ(alice.Ask("release " + hers.id), kOk);
}

TEST_F(TrustTest, ProcessesOfOneUidShareItsNamesButNotEachOthersLeases) {
  StartForAliceAndBob();
  UidClient one(*daemon_, kAlice), other(*daemon_, kAlice);
  const UidClient::Lease lease = one.MakeLease("hers");
  EXPECT_EQ(other.Ask("release " + lease.id), kPermissionDenied);
  EXPECT_EQ(other.Ask("attach hers"), kOk);
}

TEST_F(TrustTest, ASealedBufferIsReadByThoseItIsSharedWith) {
  Start({absl::StrCat("--allow_uid=", kAlice, ",", kBob, ",", kCarol)});
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob),
      carol(*daemon_, kCarol);
  const UidClient::Lease lease = alice.MakeLease("hers");
  // It is mapped for writing by nobody, but has been.
  UidClient writer(*daemon_, kAlice);
  ASSERT_EQ(writer.Ask(absl::StrCat("map ", lease.path, " ", kTwoMiB)), "0");
  writer.Kill();
  ASSERT_EQ(alice.Ask(absl::StrCat("seal ", lease.id, " ", kBob, " 0")), kOk);

  EXPECT_THAT(bob.Ask("read hers 0"), StartsWith("5"))
      << "nobody's buffer takes the place of one's own";
  EXPECT_THAT(bob.Ask(absl::StrCat("read hers 0 ", kAlice)),
              StartsWith("0 " + lease.path));
  EXPECT_EQ(bob.Ask("peek " + lease.path), "0 x");
  EXPECT_EQ(alice.Ask("attach hers"), kFailedPrecondition) << "to write";
  EXPECT_THAT(carol.Ask(absl::StrCat("read hers 0 ", kAlice)),
              StartsWith(kPermissionDenied));
  EXPECT_EQ(carol.Ask("peek " + lease.path), absl::StrCat(EACCES));
  // Nor can who gave it change that.
  EXPECT_THAT(alice.Ask("read hers 0 0"), StartsWith(kOk));
  EXPECT_EQ(alice.Ask("peek " + lease.path), "0 x");
  EXPECT_EQ(alice.Ask(absl::StrCat("map ", lease.path, " ", kTwoMiB)),
            absl::StrCat(EACCES));
  EXPECT_EQ(alice.Ask(absl::StrCat("chmod ", lease.path)), absl::StrCat(EPERM));
}

TEST_F(TrustTest, NobodyLearnsOfABufferThatIsNotShared) {
  StartForAliceAndBob();
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob);
  const UidClient::Lease lease = alice.MakeLease("hers");
  ASSERT_EQ(alice.Ask(absl::StrCat("seal ", lease.id, " 0 0")), kOk);
  EXPECT_EQ(bob.Ask(absl::StrCat("read hers 0 ", kAlice)),
            bob.Ask(absl::StrCat("read nothing 0 ", kAlice)));
}

TEST_F(TrustTest, AGroupWaitsForABufferOfAnotherUid) {
  Start({absl::StrCat("--allow_uid=", kAlice, ",", kBob)});
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob, {kFriends});
  const UidClient::Lease lease = alice.MakeLease("hers");
  bob.Tell(absl::StrCat("read hers 30 ", kAlice));
  ASSERT_TRUE(Eventually([&] { return Waiting() == 1; }));
  ASSERT_EQ(alice.Ask(absl::StrCat("seal ", lease.id, " 0 ", kFriends)), kOk);
  EXPECT_THAT(bob.Hear(), StartsWith("0 " + lease.path));
}

TEST_F(TrustTest, ASharedBufferSurvivesTheDaemonAndIsNotReused) {
  StartForAliceAndBob();
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob, {kFriends});
  const UidClient::Lease lease = alice.MakeLease("hers");
  ASSERT_EQ(alice.Ask(absl::StrCat("seal ", lease.id, " 0 ", kFriends)), kOk);
  daemon_->Restart();
  std::istringstream answer(bob.Ask(absl::StrCat("read hers 0 ", kAlice)));
  std::string code, path, id;
  answer >> code >> path >> id;
  EXPECT_EQ(code, kOk);
  EXPECT_EQ(path, lease.path);
  ASSERT_TRUE(
      Eventually([&] { return alice.Ask("renew " + lease.id) == kOk; }));
  EXPECT_EQ(alice.Ask("release " + lease.id), kOk);
  EXPECT_EQ(bob.Ask("release " + id), kOk);
  const UidClient::Lease next = alice.MakeLease("next");
  EXPECT_NE(next.path, lease.path);
  EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(path); }));
}

TEST_F(TrustTest, AnAdminSeesAndCommandsAll) {
  Start({absl::StrCat("--allow_uid=", kAlice),
         absl::StrCat("--admin_uid=", kCarol)});
  UidClient alice(*daemon_, kAlice), carol(*daemon_, kCarol);
  const UidClient::Lease lease = alice.MakeLease("hers");
  EXPECT_THAT(carol.Ask("list"), HasSubstr("hers,"));
  EXPECT_EQ(carol.Ask("revoke " + lease.id), kOk);
  EXPECT_THAT(alice.Ask("list"), Not(HasSubstr("hers,")));
}

TEST_F(TrustTest, WhatOneUidLeftIsNeverHandedToAnother) {
  StartForAliceAndBob();
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob);
  const UidClient::Lease hers = alice.MakeLease("-");
  ASSERT_EQ(alice.Ask("release " + hers.id), kOk);
  const UidClient::Lease his = bob.MakeLease("-");
  EXPECT_EQ(his.warmth, "WARMTH_FRESH");
  EXPECT_NE(his.path, hers.path);
  const UidClient::Lease again = alice.MakeLease("-");
  EXPECT_EQ(again.warmth, "WARMTH_WARM");
  EXPECT_EQ(again.path, hers.path);
}

TEST_F(TrustTest, LimitsCountPerUidHoweverManyProcessesItHas) {
  Start({absl::StrCat("--allow_uid=", kAlice, ",", kBob),
         "--max_leases_per_uid=2", "--max_connections_per_uid=2"});
  UidClient one(*daemon_, kAlice), other(*daemon_, kAlice);
  EXPECT_EQ(one.MakeLease("-").code, kOk);
  EXPECT_EQ(other.MakeLease("-").code, kOk);
  EXPECT_EQ(one.MakeLease("-").code, "8");
  EXPECT_EQ(UidClient(*daemon_, kAlice).Ask("stats"), kUnavailable);
  EXPECT_EQ(UidClient(*daemon_, kBob).MakeLease("-").code, kOk);
}

TEST_F(TrustTest, AUidSeesItsOwnLastRefusalAndAnAdminEachUids) {
  Start({absl::StrCat("--allow_uid=", kAlice, ",", kBob, ",", kCarol),
         "--max_bytes_per_uid=3MiB"});
  UidClient alice(*daemon_, kAlice), bob(*daemon_, kBob);
  const std::string kFour = absl::StrCat(4 << 20),
                    kEight = absl::StrCat(8 << 20);
  EXPECT_THAT(alice.Ask("lease " + kFour + " 0 -"), StartsWith("8 "));
  EXPECT_THAT(bob.Ask("lease " + kEight + " 0 -"), StartsWith("8 "));
  EXPECT_EQ(alice.Ask("refusals"), "0 " + kFour + " " + kFour + " 0");
  EXPECT_EQ(bob.Ask("refusals"), "0 " + kEight + " " + kEight + " 0");
  EXPECT_EQ(UidClient(*daemon_, kCarol).Ask("refusals"), "0 0 0 0");
  EXPECT_EQ(UidClient(*daemon_, 0).Ask("refusals"),
            "0 " + kEight + " " + kEight + " 2");
}

TEST_F(TrustTest, AStoppedClientsLeaseExpiresButItsPagesGoToNobody) {
  StartForAliceAndBob();
  UidClient alice(*daemon_, kAlice);
  const UidClient::Lease lease = alice.MakeLease("hers", /*ttl_seconds=*/1);
  ASSERT_EQ(alice.Ask(absl::StrCat("map ", lease.path, " ", kTwoMiB)), "0");
  alice.process().Signal(SIGSTOP);
  RawClient root(daemon_->target());
  EXPECT_TRUE(
      Eventually([&] { return root.Stats().leases().live_leases() == 0; }));
  EXPECT_EQ(root.Stats().bytes().quarantined_bytes(), kTwoMiB);
  UidClient sister(*daemon_, kAlice);
  const UidClient::Lease later = sister.MakeLease("-");
  EXPECT_EQ(later.warmth, "WARMTH_FRESH");
  EXPECT_NE(later.path, lease.path);
  alice.process().Signal(SIGKILL);
  EXPECT_TRUE(Eventually(
      [&] { return root.Stats().bytes().quarantined_bytes() == 0; }));
}

}  // namespace
}  // namespace warmpool::testing
