// Making segments: whole or not at all.
#include <errno.h>
#include <sys/stat.h>

#include <set>
#include <string>
#include <utility>

#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AllOf;
using ::testing::HasSubstr;

class SegmentDirectoryMakeTest : public DirectoryFixture {
 protected:
  const std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
};

TEST_F(SegmentDirectoryMakeTest, ASegmentHasAllItsPagesBeforeAnybodyHasIt) {
  for (const uint64_t bytes : {uint64_t{1}, 64 * kKiB, 3 * kMiB}) {
    Segment segment = MakeOrDie(*directory_, bytes);
    EXPECT_TRUE(segment.zeroed());
    struct stat file;
    ASSERT_EQ(stat(directory_->PathOf(segment).c_str(), &file), 0);
    EXPECT_EQ(static_cast<uint64_t>(file.st_size), segment.bytes());
    EXPECT_GE(static_cast<uint64_t>(file.st_blocks) * 512, segment.bytes());
    EXPECT_EQ(file.st_mode & 07777, 0600u);
    End(std::move(segment));
  }
}

TEST_F(SegmentDirectoryMakeTest, NamesAreRandom) {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) {
    Segment segment = MakeOrDie(*directory_, 4096);
    EXPECT_THAT(segment.file_name(),
                testing::MatchesRegex("[0-9a-f]{32}\\.seg"));
    EXPECT_TRUE(names.insert(segment.file_name()).second);
    End(std::move(segment));
  }
}

TEST_F(SegmentDirectoryMakeTest, NeverTakesAFileThatIsThere) {
  class SameAgain final : public RandomSource {
   public:
    RandomId Next() override { return RandomId{5, 5}; }
  } same;
  const auto directory =
      SegmentDirectory::Open(scratch_.Join("other"), "", &calls_, &same)
          .value();
  Segment first = MakeOrDie(*directory, 4096);
  Segment second;
  EXPECT_THAT(Make(*directory, 4096, &second),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_TRUE(second.empty());
  End(std::move(first));
}

TEST_F(SegmentDirectoryMakeTest, AFullFilesystemIsToldWithTheBytesFree) {
  calls_.FailNext(Call::kFallocate, ENOSPC);
  Segment segment;
  EXPECT_THAT(Make(*directory_, 2 * kMiB, &segment),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("2097152 bytes"),
                             testing::ContainsRegex("[0-9]+ bytes free"))));
  End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(SegmentDirectoryMakeTest, AFullFilesystemIsToldEvenIfItsRoomIsUnknown) {
  calls_.FailNext(Call::kFallocate, ENOSPC);
  calls_.FailNext(Call::kFstatfs, EIO);
  Segment segment;
  EXPECT_THAT(Make(*directory_, 2 * kMiB, &segment),
              StatusIs(absl::StatusCode::kResourceExhausted));
  End(std::move(segment));
}

TEST_F(SegmentDirectoryMakeTest, ExhaustionOfAnyKindIsToldAsSuch) {
  for (const int error : {EMFILE, ENFILE, ENOSPC, ENOMEM}) {
    calls_.FailNext(Call::kOpen, error);
    Segment segment;
    EXPECT_THAT(
        Make(*directory_, 4096, &segment),
        StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(path_)));
    EXPECT_TRUE(segment.empty());
  }
  calls_.FailNext(Call::kFallocate, ENOMEM);
  Segment segment;
  EXPECT_THAT(Make(*directory_, 4096, &segment),
              StatusIs(absl::StatusCode::kResourceExhausted));
  End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(SegmentDirectoryMakeTest, InterruptedCallsAreMadeAgain) {
  for (const Call call : {Call::kOpen, Call::kFallocate, Call::kUnlink}) {
    calls_.FailNext(call, EINTR, 3);
    Segment segment = MakeOrDie(*directory_, 4096);
    End(std::move(segment));
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live())
        << SystemCalls::Name(call);
  }
  EXPECT_EQ(calls_.faults(), 9u);
}

TEST_F(SegmentDirectoryMakeTest, AnInterruptedCloseIsNotMadeAgain) {
  // The descriptor is gone after the first: a second close could take away a
  // file that another thread just opened.
  Segment segment = MakeOrDie(*directory_, 4096);
  calls_.FailNext(Call::kClose, EINTR);
  End(std::move(segment));
  EXPECT_EQ(calls_.Count(Call::kClose), 1u);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

}  // namespace
}  // namespace warmpool
