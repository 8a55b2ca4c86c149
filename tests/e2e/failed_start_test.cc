// A daemon that can't start leaves everything as the one before it left it.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kBytes = 64 << 10;

std::string ContentsOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

// Inode, mode and contents of each file, by its path.
using Tree = std::map<std::string, std::tuple<ino_t, mode_t, std::string>>;

class FailedStartTest : public ::testing::Test {
 protected:
  // Leases that nobody has mapped, whose segments nothing but the journal
  // keeps: one held, one that is a ticket, and one that lingers.
  void SetUp() override {
    RawClient client(daemon_.target());
    held_ = client.MustLease(RawClient::LeaseOf(kBytes));
    const v1::GrantedLease given = client.MustLease(RawClient::LeaseOf(kBytes));
    v1::MakeTicketRequest make;
    make.mutable_lease()->set_lease_id(given.lease_id());
    ticket_ = KernelRandom::Get().Next().ToBytes();
    make.set_ticket(ticket_);
    make.mutable_ttl()->set_seconds(3600);
    v1::MakeTicketResponse made;
    ASSERT_TRUE(client.Call(&RawClient::Stub::MakeTicket, make, &made).ok());
    v1::LeaseRequest sealed = RawClient::LeaseOf(kBytes);
    sealed.set_name("lingers");
    v1::SealRequest seal;
    seal.mutable_lease()->set_lease_id(client.MustLease(sealed).lease_id());
    seal.mutable_linger()->set_seconds(3600);
    v1::SealResponse response;
    ASSERT_TRUE(client.Call(&RawClient::Stub::Seal, seal, &response).ok());
    v1::ReleaseRequest release;
    *release.add_leases() = seal.lease();
    EXPECT_EQ(client.Release(release).code(), 0);
    daemon_.Kill();
    std::ofstream(daemon_.shm_dir() + "/notes.txt") << "mine";
  }

  // But for the lock.
  Tree TreeOf() {
    Tree tree;
    for (const auto& entry :
         fs::recursive_directory_iterator(daemon_.shm_dir())) {
      if (entry.path().filename() == "daemon.lock") continue;
      struct stat file;
      EXPECT_EQ(lstat(entry.path().c_str(), &file), 0);
      tree[entry.path()] = {
          file.st_ino, file.st_mode,
          entry.is_regular_file() ? ContentsOf(entry.path()) : ""};
    }
    return tree;
  }

  // What a daemon says that starts after this shell command. It is killed if it
  // comes to serve.
  std::string Start(const std::string& first,
                    const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {
        "/bin/sh",
        "-c",
        first + "; exec \"$0\" \"$@\" 2>&1",
        "server/warmpoold",
        absl::StrCat("--shm_dir=", daemon_.shm_dir()),
        absl::StrCat("--listen=", daemon_.target()),
        "--default_ttl=0"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    ChildProcess daemon(arguments);
    std::string output;
    for (std::string line = daemon.ReadLine(); !line.empty();
         line = daemon.ReadLine()) {
      absl::StrAppend(&output, line, "\n");
      if (absl::StrContains(line, "serving listen=")) daemon.Signal(SIGKILL);
    }
    return output;
  }
  static bool Served(const std::string& output) {
    return absl::StrContains(output, "serving listen=");
  }

  // A daemon that starts after all that failed.
  void ExpectAllIsThere() {
    daemon_.Restart();
    RawClient client(daemon_.target());
    EXPECT_EQ(client.Stats().leases().live_leases(), 3u);
    v1::ClaimRequest claim;
    claim.set_request_id(KernelRandom::Get().Next().ToBytes());
    claim.set_ticket(ticket_);
    v1::ClaimResponse claimed;
    EXPECT_TRUE(client.Call(&RawClient::Stub::Claim, claim, &claimed).ok());
    v1::AttachRequest attach = RawClient::AttachOf("lingers");
    attach.set_access(v1::ACCESS_READ_ONLY);
    v1::AttachResponse attached;
    EXPECT_TRUE(client.Call(&RawClient::Stub::Attach, attach, &attached).ok());
    EXPECT_EQ(client.Release(RawClient::ReleaseOf(held_)).code(), 0);
  }

  DaemonProcess daemon_{{"--drain_timeout=0", "--default_ttl=0"}};
  v1::GrantedLease held_;
  std::string ticket_;
};

TEST_F(FailedStartTest, WhereItCantListenItLeavesEverythingAsItWas) {
  const Tree before = TreeOf();
  const std::string taken = daemon_.shm_dir() + "-taken";
  std::ofstream(taken) << "no socket";
  EXPECT_THAT(Start("true", {"--listen=unix:" + taken}),
              HasSubstr("is no socket"));
  fs::remove(taken);
  EXPECT_EQ(TreeOf(), before);
  EXPECT_THAT(Start("true", {"--metrics_listen=192.0.2.1:1"}),
              HasSubstr("192.0.2.1"));
  EXPECT_EQ(TreeOf(), before);
  ExpectAllIsThere();
}

TEST_F(FailedStartTest, WithTooFewDescriptorsItLeavesEverythingAsItWas) {
  const Tree before = TreeOf();
  // From what starts the program to what it needs to serve.
  int descriptors = 6;
  for (; !Served(Start(absl::StrCat("ulimit -n ", descriptors)));
       ++descriptors) {
    ASSERT_EQ(TreeOf(), before) << "with " << descriptors;
    ASSERT_LT(descriptors, 200);
  }
  EXPECT_GT(descriptors, 10);
  // The first of them that served had too few for pidfds, perhaps.
  ExpectAllIsThere();
}

TEST_F(FailedStartTest, AJournalOfALaterVersionIsRefusedAndLeftAsItIs) {
  const std::string path = daemon_.shm_dir() + "/private/journal";
  const std::string journal = ContentsOf(path);
  // In both copies of the header, behind the magic.
  std::string later = journal;
  for (const size_t offset : {8, 128 + 8}) ++later[offset];
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << later;
  const Tree before = TreeOf();
  EXPECT_THAT(Start("true"),
              AllOf(HasSubstr(absl::StrCat("is of format version ",
                                           static_cast<int>(later[8]))),
                    HasSubstr(daemon_.shm_dir() + "/private"),
                    HasSubstr("start a daemon of the version that wrote it")));
  EXPECT_EQ(TreeOf(), before);
  // The daemon that it belongs to has all of it.
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
      << journal;
  ExpectAllIsThere();
}

TEST_F(FailedStartTest, ADamagedJournalIsKeptAndNamedInTheLog) {
  const std::string path = daemon_.shm_dir() + "/private/journal";
  std::string journal = ContentsOf(path);
  journal[journal.find_last_not_of('\0')] ^= 1;
  std::ofstream(path, std::ios::binary) << journal;
  const std::string kept = path + ".damaged";
  EXPECT_THAT(Start("true"),
              AllOf(HasSubstr("journal damaged"), HasSubstr("kept=\"" + kept)));
  EXPECT_EQ(ContentsOf(kept), journal);
  EXPECT_FALSE(absl::StrContains(Start("true"), "journal damaged"));
  EXPECT_EQ(ContentsOf(kept), journal) << "it is there still";
}

}  // namespace
}  // namespace warmpool::testing
