// A pool on a tmpfs that has less room than its capacity promises.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/memory/small_tmpfs.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

class PoolFullFilesystemTest : public PoolFixture {
 protected:
  ~PoolFullFilesystemTest() override {
    pool_.reset();
    directory_.reset();
  }

  void SetUp() override {
    if (!filesystem_.problem().empty()) {
      GTEST_SKIP() << filesystem_.problem();
    }
    directory_ = Open(filesystem_.Join("pool"), &calls_).value();
    Make(InlineOptions());
  }

  // Somebody else's file on the same filesystem.
  void TakeBytes(uint64_t bytes) {
    const int fd =
        open(filesystem_.Join("else").c_str(), O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(fallocate(fd, 0, 0, bytes), 0);
    close(fd);
  }

  SmallTmpfs filesystem_{"size=8m"};
};

TEST_F(PoolFullFilesystemTest, RefusesAndGoesOnOnceThereIsRoom) {
  TakeBytes(6 * kMiB);
  const LeaseGrant grant = LeaseOrDie(kAlice, kMiB);
  const Standing before = standing();
  EXPECT_THAT(
      Lease(kAlice, Request(2 * kMiB)),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("bytes free")));
  EXPECT_EQ(standing(), before);
  ASSERT_EQ(unlink(filesystem_.Join("else").c_str()), 0);
  EXPECT_THAT(Lease(kAlice, Request(2 * kMiB)), IsOk());
  EXPECT_THAT(Release(kAlice, grant), IsOk());
}

TEST_F(PoolFullFilesystemTest, WhatIsRetainedMakesRoomForAnotherSize) {
  std::vector<LeaseGrant> grants;
  for (int i = 0; i < 3; ++i) grants.push_back(LeaseOrDie(kAlice, 2 * kMiB));
  for (const LeaseGrant& grant : grants) {
    ASSERT_THAT(Release(kAlice, grant), IsOk());
  }
  ASSERT_EQ(In(ByteState::kRetained), 6 * kMiB);
  LeaseOrDie(kBob, 3 * kMiB);
  EXPECT_EQ(In(ByteState::kRetained), 2 * kMiB)
      << "as much as was needed, in whole segments";
  LeaseOrDie(kBob, 4 * kMiB);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
}

TEST_F(PoolFullFilesystemTest, NobodyIsLeasedAHoleThatAnEarlierHolderMade) {
  constexpr uint64_t kHole = 512 * kKiB;
  const LeaseGrant holed = LeaseOrDie(kAlice, 2 * kMiB);
  const int alices = open(holed.path.c_str(), O_RDWR);
  ASSERT_EQ(
      fallocate(alices, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kHole),
      0);
  ASSERT_EQ(fallocate(alices, FALLOC_FL_KEEP_SIZE, 2 * kMiB, kHole), 0);
  close(alices);
  TakeBytes(directory_->FreeBytes().value());
  ASSERT_THAT(Release(kAlice, holed), IsOk());

  const LeaseGrant grant = LeaseOrDie(kBob, 2 * kMiB);
  EXPECT_EQ(grant.warmth, Warmth::kFresh);
  EXPECT_EQ(directory_->FreeBytes().value(), 0u);
  // What would be a SIGBUS for who has it mapped.
  const int bobs = open(grant.path.c_str(), O_RDWR);
  const std::string bytes(2 * kMiB, 'x');
  EXPECT_EQ(pwrite(bobs, bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  close(bobs);
}

}  // namespace
}  // namespace warmpool
