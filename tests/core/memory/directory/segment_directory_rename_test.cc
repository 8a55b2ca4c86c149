// Segments whose files get other names, so that who was told the old one can't
// open the next holder's pages by it.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

#include "core/memory/directory/segment_directory.h"
#include "core/memory/directory/segment_name.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class SegmentDirectoryRenameTest : public DirectoryFixture {
 protected:
  ~SegmentDirectoryRenameTest() override { End(std::move(segment_)); }

  const std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  Segment segment_ = MakeOrDie(*directory_, 64 * kKiB);
  const std::string path_before_ = directory_->PathOf(segment_);
};

TEST_F(SegmentDirectoryRenameTest, TheOldPathLeadsNowhere) {
  segment_.set_name_is_stale();
  ASSERT_THAT(directory_->Rename(&segment_), IsOk());
  EXPECT_FALSE(fs::exists(path_before_));
  EXPECT_TRUE(fs::exists(directory_->PathOf(segment_)));
  EXPECT_TRUE(IsSegmentName(segment_.file_name()));
  EXPECT_FALSE(segment_.name_is_stale());
  EXPECT_EQ(directory_->Prove(segment_), Verdict::kFree);
}

TEST_F(SegmentDirectoryRenameTest, ANameThatNobodyWasToldIsKept) {
  ASSERT_THAT(directory_->Rename(&segment_), IsOk());
  EXPECT_EQ(directory_->PathOf(segment_), path_before_);
  EXPECT_EQ(calls_.Count(Call::kRename), 0u);
}

TEST_F(SegmentDirectoryRenameTest, WhoOpenedItBeforeIsFoundByTheNextProof) {
  ASSERT_EQ(directory_->Prove(segment_), Verdict::kFree);
  segment_.set_name_is_stale();
  int fd = -1;
  calls_.BeforeNext(Call::kRename,
                    [&] { fd = open(path_before_.c_str(), O_RDWR); });
  ASSERT_THAT(directory_->Rename(&segment_), IsOk());
  ASSERT_GE(fd, 0);
  EXPECT_EQ(directory_->Prove(segment_), Verdict::kInUse);
  close(fd);
}

TEST_F(SegmentDirectoryRenameTest, AfterAFailureItHasTheNameThatItHad) {
  segment_.set_name_is_stale();
  calls_.FailNext(Call::kRename, EIO);
  EXPECT_THAT(directory_->Rename(&segment_),
              StatusIs(absl::StatusCode::kUnknown, HasSubstr(path_before_)));
  EXPECT_EQ(directory_->PathOf(segment_), path_before_);
  EXPECT_TRUE(segment_.name_is_stale());
  calls_.FailNext(Call::kRename, EINTR, 2);
  EXPECT_THAT(directory_->Rename(&segment_), IsOk());
}

TEST_F(SegmentDirectoryRenameTest, ANameThatItsClientTookAwayIsToldAsThat) {
  segment_.set_name_is_stale();
  ASSERT_EQ(unlink(path_before_.c_str()), 0);
  EXPECT_THAT(directory_->Rename(&segment_),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("its client renamed or removed it")));
}

TEST_F(SegmentDirectoryRenameTest, NoFileIsReplaced) {
  const Segment& segment = segment_;
  Segment other = MakeOrDie(*directory_, 64 * kKiB);
  EXPECT_THAT(directory_->RenameFile(segment, other.file_name()),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(directory_->Prove(other), Verdict::kFree);
  EXPECT_EQ(directory_->Prove(segment), Verdict::kFree);
  End(std::move(other));
}

TEST(NextSegmentNameTest, IsOneOtherName) {
  const std::string name = SegmentName({1, UINT64_MAX});
  EXPECT_TRUE(IsSegmentName(NextSegmentName(name)));
  EXPECT_NE(NextSegmentName(name), name);
  EXPECT_EQ(NextSegmentName(name), NextSegmentName(name));
  EXPECT_EQ(NextSegmentName("journal"), "");
  EXPECT_EQ(NextSegmentName("short.seg"), "");
}

}  // namespace
}  // namespace warmpool
