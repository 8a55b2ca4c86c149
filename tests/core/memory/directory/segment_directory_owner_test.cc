// Segments that belong to other uids than the daemon's, and whether the proof
// can be had for them.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/capabilities.h"
#include "tests/core/memory/directory_fixture.h"
#include "tests/core/memory/other_process.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

constexpr uid_t kAlice = 1001;
constexpr uid_t kBob = 1002;

// Whatever uid runs it.
class ProofCheckTest : public DirectoryFixture {
 protected:
  absl::Status OpenForOwnUid() {
    return Open(path_, &calls_, {.serves_other_uids = false}).status();
  }

  void ExpectNothingLeft() { EXPECT_FALSE(fs::exists(path_)); }
};

// Root's.
class SegmentOwnerTest : public DirectoryFixture {
 protected:
  void SetUp() override {
    if (!SegmentDirectory::MayServeOtherUids()) {
      GTEST_SKIP() << "only root can give files away, where there are others";
    }
    // Others reach the directory through it.
    chmod(scratch_.path().c_str(), 0711);
    directory_ = Open(path_, &calls_, {.serves_other_uids = true}).value();
  }

  // Whether a process of the uid can open the file.
  static bool CanOpen(uid_t uid, const std::string& path) {
    OtherProcess process(
        [&] { return BecomeUid(uid) && open(path.c_str(), O_RDWR) >= 0; });
    return process.succeeded();
  }

  // What Open says in a process of root's without the capabilities.
  static std::string OpenWithout(std::initializer_list<int> capabilities,
                                 const std::string& path) {
    int message[2];
    EXPECT_EQ(pipe(message), 0);
    OtherProcess process([&] {
      if (!DropCapabilities(capabilities)) return false;
      FaultySystemCalls calls;
      const auto opened = Open(path, &calls, {.serves_other_uids = true});
      const std::string text = opened.status().ToString();
      return write(message[1], text.data(), text.size()) ==
             ssize_t(text.size());
    });
    EXPECT_TRUE(process.succeeded());
    char text[1000];
    const ssize_t got = read(message[0], text, sizeof(text));
    close(message[0]);
    close(message[1]);
    return std::string(text, got > 0 ? got : 0);
  }

  std::unique_ptr<SegmentDirectory> directory_;
};

TEST_F(ProofCheckTest, LeavesNothingBehind) {
  const auto directory = OpenOrDie();
  EXPECT_FALSE(fs::exists(path_ + "/private/proof-check"));
}

TEST_F(ProofCheckTest, AScratchFileOfAKilledDaemonIsNoHindrance) {
  {
    const auto directory = OpenOrDie();
    close(openat(directory->private_directory_fd(), "proof-check",
                 O_WRONLY | O_CREAT, 0600));
  }
  const auto directory = OpenOrDie();
  EXPECT_FALSE(fs::exists(path_ + "/private/proof-check"));
}

TEST_F(ProofCheckTest, AFilesystemWithoutLeasesIsRefused) {
  for (const int error : {EINVAL, ENOLCK, EOPNOTSUPP}) {
    calls_.FailNext(Call::kFcntl, error);
    EXPECT_THAT(OpenForOwnUid(),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("filesystem of " + path_),
                               HasSubstr("F_SETLEASE"), HasSubstr("tmpfs"))));
    ExpectNothingLeft();
  }
}

TEST_F(ProofCheckTest, ALeaseThatIsRefusedWithoutCauseIsNoProof) {
  calls_.FailNth(Call::kFcntl, 2, EAGAIN);
  EXPECT_THAT(OpenForOwnUid(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("though nobody has it open")));
  ExpectNothingLeft();
}

TEST_F(ProofCheckTest, ALeaseThatIsGrantedInSpiteOfAnotherOpenerIsNoProof) {
  // As by a filesystem that does not see the other: here because the other is
  // gone when the kernel is asked.
  calls_.BeforeNext(Call::kFcntl, [] {
    int second = -1;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      const std::string target = fs::read_symlink(entry.path(), error).string();
      if (target.find("proof-check") == std::string::npos) continue;
      second = std::max(second, std::stoi(entry.path().filename().string()));
    }
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, second);
    close(null);
  });
  EXPECT_THAT(OpenForOwnUid(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("granted though somebody has it open")));
  ExpectNothingLeft();
}

TEST_F(ProofCheckTest, InterruptedCallsAreMadeAgain) {
  calls_.FailNext(Call::kFcntl, EINTR, 3);
  EXPECT_THAT(OpenForOwnUid(), IsOk());
}

TEST_F(ProofCheckTest, AMissingCapabilityIsNamed) {
  calls_.FailNext(Call::kChown, EPERM);
  EXPECT_THAT(Open(path_, &calls_, {.serves_other_uids = true}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("CAP_CHOWN"), HasSubstr("grant it"))));
  ExpectNothingLeft();
}

TEST_F(ProofCheckTest, AUserNamespaceWithoutOtherUidsIsToldAsThat) {
  calls_.FailNext(Call::kChown, EINVAL);
  EXPECT_THAT(Open(path_, &calls_, {.serves_other_uids = true}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("user namespace has no uid")));
  ExpectNothingLeft();
}

TEST_F(ProofCheckTest, ADaemonOfOneUidNeedsNoCapability) {
  calls_.FailNext(Call::kChown, EPERM);
  EXPECT_THAT(OpenForOwnUid(), IsOk());
  EXPECT_EQ(calls_.faults(), 0u);
}

TEST_F(SegmentOwnerTest, EachFileIsItsOwnersAlone) {
  struct stat file;
  ASSERT_EQ(stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0711u);
  for (const uid_t owner : {kAlice, kBob, uid_t{0}}) {
    Segment segment = MakeOrDie(*directory_, 64 * kKiB, owner);
    ASSERT_EQ(stat(directory_->PathOf(segment).c_str(), &file), 0);
    EXPECT_EQ(file.st_uid, owner);
    EXPECT_EQ(file.st_mode & 07777, 0600u);
    End(std::move(segment));
  }
}

TEST_F(SegmentOwnerTest, TheDirectoryCanBeOpenedToOthersUnderAnyUmask) {
  const mode_t before = umask(077);
  const auto other =
      Open(scratch_.Join("other"), &calls_, {.serves_other_uids = true});
  umask(before);
  ASSERT_THAT(other, IsOk());
  struct stat file;
  ASSERT_EQ(stat(scratch_.Join("other").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0711u);
}

TEST_F(SegmentOwnerTest, OnlyItsOwnerOpensASegmentAndNobodyListsAny) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB, kAlice);
  const std::string path = directory_->PathOf(segment);
  EXPECT_TRUE(CanOpen(kAlice, path));
  EXPECT_FALSE(CanOpen(kBob, path));
  for (const uid_t uid : {kAlice, kBob}) {
    OtherProcess process([&] {
      const std::string moved = scratch_.Join("pool/mine.seg");
      return BecomeUid(uid) && open(path_.c_str(), O_RDONLY) < 0 &&
             unlink(path.c_str()) < 0 &&
             rename(path.c_str(), moved.c_str()) < 0 &&
             open(moved.c_str(), O_CREAT | O_WRONLY, 0600) < 0;
    });
    EXPECT_TRUE(process.succeeded());
  }
  ASSERT_THAT(directory_->SetAside(&segment), IsOk());
  EXPECT_FALSE(CanOpen(kAlice, directory_->PathOf(segment)));
  End(std::move(segment));
}

TEST_F(SegmentOwnerTest, ASegmentThatCannotBeGivenAwayIsNotGranted) {
  calls_.FailNext(Call::kChown, EPERM);
  Segment segment;
  EXPECT_THAT(Make(*directory_, 64 * kKiB, &segment, kAlice),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("1001")));
  End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());

  calls_.FailNext(Call::kChown, EINTR, 2);
  End(MakeOrDie(*directory_, 64 * kKiB, kAlice));
}

TEST_F(SegmentOwnerTest, AnotherUidsFileIsProven) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB, kAlice);
  const std::string path = directory_->PathOf(segment);
  EXPECT_EQ(directory_->Prove(segment), Verdict::kFree);
  {
    OtherProcess holder(
        [&] { return BecomeUid(kAlice) && open(path.c_str(), O_RDWR) >= 0; });
    ASSERT_TRUE(holder.succeeded());
    EXPECT_EQ(directory_->Prove(segment), Verdict::kInUse);
  }
  End(std::move(segment));
}

TEST_F(SegmentOwnerTest, AModeThatLetsOthersInIsUnfit) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB, kAlice);
  const std::string path = directory_->PathOf(segment);
  OtherProcess holder(
      [&] { return BecomeUid(kAlice) && chmod(path.c_str(), 0666) == 0; });
  ASSERT_TRUE(holder.succeeded());
  EXPECT_EQ(directory_->Prove(segment), Verdict::kUnfit);
  End(std::move(segment));
}

TEST_F(SegmentOwnerTest, ALeftoverIsItsFilesOwners) {
  Detach(MakeOrDie(*directory_, 64 * kKiB, kBob));
  std::vector<std::string> unknown;
  std::vector<Segment> leftovers =
      directory_->FindLeftovers(SizeClasses(), &unknown).value();
  ASSERT_EQ(leftovers.size(), 1u);
  EXPECT_EQ(leftovers[0].owner(), kBob);
  EXPECT_EQ(directory_->Prove(leftovers[0]), Verdict::kFree);
  End(std::move(leftovers[0]));
}

TEST_F(SegmentOwnerTest, StrayFilesOfUidsThatAreNotServedAreLeftAlone) {
  directory_.reset();
  directory_ = Open(path_, &calls_, {.served_uids = {kAlice}}).value();
  for (const uid_t uid : {kAlice, kBob}) {
    const std::string path = path_ + "/of-" + std::to_string(uid);
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_EQ(fchown(fd, uid, 0), 0);
    close(fd);
  }
  std::vector<std::string> unknown;
  std::vector<Segment> strays =
      directory_->FindLeftovers(SizeClasses(), &unknown).value();
  ASSERT_EQ(strays.size(), 1u);
  EXPECT_EQ(strays[0].owner(), kAlice);
  EXPECT_EQ(unknown, std::vector{"of-" + std::to_string(kBob)});
  EXPECT_EQ(directory_->Prove(strays[0]), Verdict::kUnfit);
  End(std::move(strays[0]));
}

TEST_F(SegmentOwnerTest, EitherOfTwoCapabilitiesIsEnoughForTheProof) {
  EXPECT_EQ(OpenWithout({CAP_LEASE}, scratch_.Join("a")), "OK");
  EXPECT_EQ(OpenWithout({CAP_SETUID}, scratch_.Join("b")), "OK");
  EXPECT_THAT(OpenWithout({CAP_LEASE, CAP_SETUID}, scratch_.Join("c")),
              AllOf(HasSubstr("CAP_LEASE"), HasSubstr("CAP_SETUID"),
                    HasSubstr("ordinary user")));
}

TEST_F(SegmentOwnerTest, WithoutACapabilityTheDaemonSaysWhichIsMissing) {
  EXPECT_THAT(OpenWithout({CAP_CHOWN}, scratch_.Join("a")),
              HasSubstr("lacks CAP_CHOWN"));
  EXPECT_THAT(OpenWithout({CAP_DAC_OVERRIDE}, scratch_.Join("b")),
              HasSubstr("lacks CAP_DAC_OVERRIDE"));
  EXPECT_FALSE(fs::exists(scratch_.Join("a")));
  EXPECT_FALSE(fs::exists(scratch_.Join("b")));
}

TEST_F(SegmentOwnerTest, AProofAsTheOwnerIsGivenUpLikeAnyOther) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB, kAlice);
  const std::string path = directory_->PathOf(segment);
  OtherProcess daemon([&] {
    // Opened before as much: the descriptor is shared with the test's.
    return DropCapabilities({CAP_LEASE}) &&
           directory_->Prove(segment) == Verdict::kFree &&
           open(path.c_str(), O_RDWR | O_NONBLOCK) >= 0;
  });
  EXPECT_TRUE(daemon.succeeded());
  daemon.Kill();
  End(std::move(segment));
}

}  // namespace
}  // namespace warmpool
