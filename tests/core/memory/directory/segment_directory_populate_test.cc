// Pages cleared ahead of their first lease.
#include <errno.h>

#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class SegmentDirectoryPopulateTest : public DirectoryFixture {
 protected:
  uint64_t Writes() const { return calls_.Count(Call::kWrite); }

  std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
};

TEST_F(SegmentDirectoryPopulateTest, EveryPageIsWrittenOnceWhateverInterrupts) {
  Segment segment = MakeOrDie(*directory_, kMiB);
  const uint64_t before = Writes();
  calls_.FailNext(Call::kWrite, EINTR);
  EXPECT_THAT(directory_->Populate(segment, 0, kMiB / 2), IsOk());
  EXPECT_THAT(directory_->Populate(segment, kMiB / 2, kMiB / 2), IsOk());
  EXPECT_EQ(Writes() - before, kMiB / (64 * kKiB) + 1);
  EXPECT_EQ(directory_->Prove(segment), Verdict::kFree);
  End(std::move(segment));
}

TEST_F(SegmentDirectoryPopulateTest, AnErrorNamesTheSegment) {
  Segment segment = MakeOrDie(*directory_, kMiB);
  calls_.FailNext(Call::kWrite, EIO);
  const absl::Status status = directory_->Populate(segment, 0, kMiB);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(segment.file_name()), std::string::npos);
  EXPECT_EQ(directory_->Prove(segment), Verdict::kFree) << "its file is open";
  End(std::move(segment));
}

TEST_F(SegmentDirectoryPopulateTest, OfHugePagesOnlyTheTailIsLeft) {
  Segment segment = MakeOrDie(*directory_, 5 * kMiB);
  segment.set_page_bytes(kHugePageSize);
  const uint64_t before = Writes();
  EXPECT_THAT(directory_->Populate(segment, 0, 4 * kMiB), IsOk());
  EXPECT_EQ(Writes(), before);
  EXPECT_THAT(directory_->Populate(segment, 3 * kMiB, 2 * kMiB), IsOk());
  EXPECT_EQ(Writes() - before, kMiB / (64 * kKiB));
  End(std::move(segment));
}

}  // namespace
}  // namespace warmpool
