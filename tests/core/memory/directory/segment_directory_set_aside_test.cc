// Segments that are moved out of everybody's reach, and the private directory.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-more-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class SetAsideTest : public DirectoryFixture {
 protected:
  std::vector<Segment> Leftovers() {
    return directory_->FindLeftovers(SizeClasses(), &unknown_).value();
  }

  std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  std::vector<std::string> unknown_;
};

TEST_F(SetAsideTest, NobodyOpensItByItsOldPath) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB);
  const std::string path = directory_->PathOf(segment);
  EXPECT_FALSE(segment.set_aside());
  ASSERT_THAT(directory_->SetAside(&segment), IsOk());
  EXPECT_TRUE(segment.set_aside());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::exists(directory_->PathOf(segment)));
  EXPECT_EQ(directory_->Prove(segment), Verdict::kFree);

  // Once is enough.
  ASSERT_THAT(directory_->SetAside(&segment), IsOk());
  EXPECT_EQ(calls_.Count(Call::kRename), 1u);
  End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(SetAsideTest, ANameThatItsClientTookAwayIsToldAsThat) {
  for (const bool unlinks : {true, false}) {
    Segment segment = MakeOrDie(*directory_, 64 * kKiB);
    const std::string path = directory_->PathOf(segment);
    const std::string elsewhere = scratch_.Join("elsewhere");
    ASSERT_EQ(unlinks ? unlink(path.c_str())
                      : rename(path.c_str(), elsewhere.c_str()),
              0);
    EXPECT_THAT(
        directory_->SetAside(&segment),
        StatusIs(absl::StatusCode::kNotFound, HasSubstr("renamed or removed")));
    EXPECT_FALSE(segment.set_aside());
    EXPECT_EQ(directory_->PathOf(segment), path);
    End(std::move(segment));
  }
}

TEST_F(SetAsideTest, AfterAFailureTheSegmentIsWhereItWas) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB);
  const std::string path = directory_->PathOf(segment);
  calls_.FailNext(Call::kRename, ENOMEM);
  EXPECT_THAT(directory_->SetAside(&segment),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(path)));
  EXPECT_EQ(directory_->PathOf(segment), path);
  EXPECT_TRUE(fs::exists(path));

  calls_.FailNext(Call::kRename, EINTR, 2);
  EXPECT_THAT(directory_->SetAside(&segment), IsOk());
  End(std::move(segment));
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(SetAsideTest, ALaterDaemonFindsItSetAside) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB);
  const std::string name = segment.file_name();
  ASSERT_THAT(directory_->SetAside(&segment), IsOk());
  Detach(std::move(segment));
  directory_.reset();

  directory_ = OpenOrDie();
  std::vector<Segment> leftovers = Leftovers();
  ASSERT_EQ(leftovers.size(), 1u);
  EXPECT_THAT(unknown_, IsEmpty());
  EXPECT_EQ(leftovers[0].file_name(), name);
  EXPECT_TRUE(leftovers[0].set_aside());
  EXPECT_EQ(leftovers[0].owner(), geteuid());
  End(std::move(leftovers[0]));
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(SetAsideTest, ThePrivateDirectoryIsForTheDaemonsOwnFiles) {
  const int fd = openat(directory_->private_directory_fd(), "journal",
                        O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  close(fd);
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_THAT(unknown_, IsEmpty());
  directory_.reset();
  EXPECT_TRUE(fs::exists(path_ + "/private/journal"));

  directory_ = OpenOrDie();
  fs::remove(path_ + "/private/journal");
  directory_.reset();
  EXPECT_FALSE(fs::exists(path_)) << "it goes when it is empty";
}

}  // namespace
}  // namespace warmpool
