// Whose leases end first.
#include "server/clients/holder_ender.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;

class HolderEnderTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(ender_.Start().ok()); }
  // One of so many slices.
  void Add(uid_t uid, const std::string& holder, int slices) {
    ender_.Add(uid, [this, holder, slices]() mutable {
      Note(holder);
      return --slices > 0;
    });
  }
  // What is added meanwhile has come by the time of the next slice.
  template <typename AddAll>
  void AddTogether(AddAll add_all) {
    ender_.Add(0, [this] {
      MutexLock lock(&mutex_);
      while (!all_added_) added_.Wait(&mutex_);
      return false;
    });
    add_all();
    {
      MutexLock lock(&mutex_);
      all_added_ = true;
    }
    added_.NotifyOne();
    ender_.Stop();
  }
  void Note(const std::string& holder) {
    {
      MutexLock lock(&mutex_);
      order_.push_back(holder);
    }
    noted_.NotifyOne();
  }
  void AwaitSlices(size_t slices) {
    MutexLock lock(&mutex_);
    while (order_.size() < slices) noted_.Wait(&mutex_);
  }
  std::vector<std::string> order() {
    MutexLock lock(&mutex_);
    return order_;
  }

  Mutex mutex_;
  CondVar added_;
  CondVar noted_;
  bool all_added_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> order_ ABSL_GUARDED_BY(mutex_);
  HolderEnder ender_;
};

TEST_F(HolderEnderTest, WhoHasLittleWaitsForASliceOfEachAndNotForAll) {
  AddTogether([this] {
    Add(1000, "large", 5);
    Add(1000, "small", 1);
    Add(1000, "middle", 2);
  });
  EXPECT_THAT(order(), ElementsAre("large", "small", "middle", "large",
                                   "middle", "large", "large", "large"));
}

TEST_F(HolderEnderTest, HowManyHoldersAUidHasIsItsOwnAffair) {
  AddTogether([this] {
    for (const char* const holder : {"a1", "a2", "a3", "a4"}) {
      Add(1000, holder, 2);
    }
    Add(2000, "b", 2);
  });
  EXPECT_THAT(order(), ElementsAre("a1", "b", "a2", "b", "a3", "a4", "a1", "a2",
                                   "a3", "a4"));
}

TEST_F(HolderEnderTest, OneThatComesLaterIsNotLast) {
  // Added in the midst of another's slices.
  ender_.Add(1000, [this, slices = 4]() mutable {
    if (slices == 4) Add(1000, "late", 1);
    Note("early");
    return --slices > 0;
  });
  AwaitSlices(5);
  EXPECT_THAT(order(), ElementsAre("early", "late", "early", "early", "early"));
}

TEST_F(HolderEnderTest, AfterItsStopWhoeverAddsDoesAll) {
  ender_.Stop();
  Add(1000, "a", 3);
  EXPECT_THAT(order(), ElementsAre("a", "a", "a"));
  ender_.Stop();
}

}  // namespace
}  // namespace warmpool
