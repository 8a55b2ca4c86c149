// DirectoryFixture: what tests of segment files stand on.
#ifndef WARMPOOL_TESTS_CORE_MEMORY_DIRECTORY_FIXTURE_H_
#define WARMPOOL_TESTS_CORE_MEMORY_DIRECTORY_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>

#include "core/base/random_id.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/size_class.h"
#include "gtest/gtest.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {

class DirectoryFixture : public testing::Test {
 protected:
  // By default as the uid that runs the test would have it: root gives
  // segments away.
  static absl::StatusOr<std::unique_ptr<SegmentDirectory>> Open(
      const std::string& path, SystemCalls* calls,
      const SegmentDirectory::Options& options = {}) {
    return SegmentDirectory::Open(path, "this test", calls,
                                  &KernelRandom::Get(), options);
  }

  std::unique_ptr<SegmentDirectory> OpenOrDie() {
    return Open(path_, &calls_).value();
  }

  static absl::Status Make(SegmentDirectory& directory, uint64_t bytes,
                           Segment* segment, uid_t owner = geteuid()) {
    const SizeClasses classes;
    const SizeClass size_class = classes.For(bytes).value();
    return directory.Make(size_class, classes.Bytes(size_class), owner,
                          Purpose::kLease, segment);
  }

  static Segment MakeOrDie(SegmentDirectory& directory, uint64_t bytes,
                           uid_t owner = geteuid()) {
    Segment segment;
    const absl::Status made = Make(directory, bytes, &segment, owner);
    EXPECT_TRUE(made.ok()) << made;
    return segment;
  }

  // Unlinks and closes.
  void End(Segment segment) {
    UnmapBatch batch(&calls_, {UnmapBatch::Drain::kInline});
    batch.Add(std::move(segment), absl::UnixEpoch());
  }

  // Closes only.
  void Detach(Segment segment) {
    UnmapBatch batch(&calls_, {UnmapBatch::Drain::kInline});
    batch.Detach(std::move(segment));
  }

  ScratchDirectory scratch_;
  const std::string path_ = scratch_.Join("pool");
  FaultySystemCalls calls_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_MEMORY_DIRECTORY_FIXTURE_H_
