#include "core/memory/directory/descriptor_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

class DescriptorCacheTest : public testing::Test {
 protected:
  int OpenOne() { return calls_.Open(AT_FDCWD, "/dev/null", O_RDONLY, 0); }

  // Whether the descriptor was still there; closes it.
  bool TakeAndClose(DescriptorCache& cache, DescriptorCache::Key key) {
    const int fd = cache.Take(key);
    return fd >= 0 && calls_.Close(fd) == 0;
  }

  FaultySystemCalls calls_;
};

TEST_F(DescriptorCacheTest, TheOneUnusedForLongestIsClosed) {
  DescriptorCache cache(2, &calls_);
  const DescriptorCache::Key first = cache.Add(OpenOne());
  const DescriptorCache::Key second = cache.Add(OpenOne());
  cache.Put(first, cache.Take(first));
  const DescriptorCache::Key third = cache.Add(OpenOne());
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(calls_.live().descriptors, 2u);
  EXPECT_FALSE(TakeAndClose(cache, second));
  EXPECT_TRUE(TakeAndClose(cache, first));
  EXPECT_TRUE(TakeAndClose(cache, third));
  EXPECT_EQ(calls_.live().descriptors, 0u);
}

TEST_F(DescriptorCacheTest, WhatIsTakenOutIsTheTakersToClose) {
  DescriptorCache cache(1, &calls_);
  const DescriptorCache::Key key = cache.Add(OpenOne());
  const int fd = cache.Take(key);
  const DescriptorCache::Key other = cache.Add(OpenOne());
  EXPECT_EQ(calls_.live().descriptors, 2u);
  EXPECT_LT(cache.Take(key), 0);
  cache.Put(key, fd);
  EXPECT_EQ(calls_.live().descriptors, 1u);
  EXPECT_FALSE(TakeAndClose(cache, other));
  EXPECT_TRUE(TakeAndClose(cache, key));
}

TEST_F(DescriptorCacheTest, WithRoomForNoneAllAreClosed) {
  DescriptorCache cache(0, &calls_);
  EXPECT_LT(cache.Take(cache.Add(OpenOne())), 0);
  EXPECT_EQ(calls_.live().descriptors, 0u);
  EXPECT_FALSE(cache.CloseOldest());
}

TEST_F(DescriptorCacheTest, OneCanBeGivenUpForAnotherUse) {
  DescriptorCache cache(2, &calls_);
  const DescriptorCache::Key oldest = cache.Add(OpenOne());
  const DescriptorCache::Key newest = cache.Add(OpenOne());
  EXPECT_TRUE(cache.CloseOldest());
  EXPECT_FALSE(TakeAndClose(cache, oldest));
  EXPECT_TRUE(TakeAndClose(cache, newest));
}

}  // namespace
}  // namespace warmpool
