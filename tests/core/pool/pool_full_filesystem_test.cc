// A pool on a tmpfs that has less room than its capacity promises.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock.h"
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
    const int fd = open(filesystem_.Join("else").c_str(), O_WRONLY | O_CREAT,
                        0600);
    ASSERT_EQ(fallocate(fd, 0, 0, bytes), 0);
    close(fd);
  }

  SmallTmpfs filesystem_{"size=8m"};
};

TEST_F(PoolFullFilesystemTest, RefusesAndGoesOnOnceThereIsRoom) {
  TakeBytes(6 * kMiB);
  const LeaseGrant grant = LeaseOrDie(kAlice, kMiB);
  const Standing before = standing();
  EXPECT_THAT(Lease(kAlice, Request(2 * kMiB)),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("bytes free")));
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

}  // namespace
}  // namespace warmpool
