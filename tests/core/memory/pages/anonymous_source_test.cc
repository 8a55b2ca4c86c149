#include "core/memory/pages/anonymous_source.h"

#include <errno.h>

#include <algorithm>
#include <utility>

#include "core/engine/unmap_batch.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

class AnonymousSourceTest : public testing::Test {
 protected:
  absl::Status Make(size_t bytes, Segment* segment) {
    return source_.Make(SizeClasses().For(bytes).value(), bytes, 1000,
                        Purpose::kLease, segment);
  }

  void End(Segment segment) {
    UnmapBatch batch(&calls_, {UnmapBatch::Drain::kInline});
    batch.Add(std::move(segment), absl::UnixEpoch());
  }

  FaultySystemCalls calls_;
  AnonymousSource source_{&calls_};
};

TEST_F(AnonymousSourceTest, GivesZeroedWritableMemoryWithoutAFile) {
  Segment segment;
  ASSERT_THAT(Make(2 * kMiB, &segment), IsOk());
  EXPECT_TRUE(segment.zeroed());
  EXPECT_EQ(segment.owner(), 1000u);
  EXPECT_EQ(segment.fd(), -1);
  EXPECT_EQ(segment.file_name(), "");
  EXPECT_TRUE(std::all_of(segment.data(), segment.data() + segment.bytes(),
                          [](std::byte b) { return b == std::byte{0}; }));
  std::fill_n(segment.data(), segment.bytes(), std::byte{0xff});
  End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(AnonymousSourceTest, NobodyElseEverHasIt) {
  Segment segment;
  ASSERT_THAT(Make(64 * kKiB, &segment), IsOk());
  EXPECT_EQ(source_.Prove(segment), Verdict::kFree);
  End(std::move(segment));
}

TEST_F(AnonymousSourceTest, OutOfMemoryIsTold) {
  calls_.FailNext(SystemCalls::Call::kMmap, ENOMEM);
  Segment segment;
  EXPECT_THAT(Make(2 * kMiB, &segment),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace warmpool
