#include "server/scheduling/fair_queue.h"

#include <sys/types.h>

#include <map>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

constexpr uid_t kBusy = 1;
constexpr uid_t kOther = 2;
constexpr uid_t kThird = 3;
constexpr absl::Duration kTime = absl::Milliseconds(1);

class FairQueueTest : public testing::Test {
 protected:
  // Pops the next item and charges for it. Returns its uid.
  uid_t Serve(absl::Duration time = kTime) {
    uid_t uid = 0;
    const int item = queue_.Pop(&uid);
    served_[uid].push_back(item);
    queue_.Charge(uid, time);
    return uid;
  }

  FairQueue<int> queue_;
  std::map<uid_t, std::vector<int>> served_;
};

TEST_F(FairQueueTest, ItemsOfOneUidKeepTheirOrder) {
  for (int i = 1; i <= 4; ++i) queue_.Push(kBusy, i);
  while (!queue_.empty()) Serve();
  EXPECT_EQ(served_[kBusy], (std::vector<int>{1, 2, 3, 4}));
}

TEST_F(FairQueueTest, AnItemDoesNotWaitForTheBacklogOfAnotherUid) {
  for (int i = 0; i < 1000; ++i) queue_.Push(kBusy, i);
  EXPECT_EQ(Serve(), kBusy);
  queue_.Push(kOther, 1);
  EXPECT_EQ(Serve(), kOther);
}

TEST_F(FairQueueTest, UidsWithABacklogShareTheTimeEqually) {
  for (int i = 0; i < 100; ++i) {
    queue_.Push(kBusy, i);
    queue_.Push(kOther, i);
  }
  // What one asks for takes ten times as long.
  std::map<uid_t, absl::Duration> had;
  for (int i = 0; i < 50; ++i) {
    uid_t uid = 0;
    queue_.Pop(&uid);
    const absl::Duration time = uid == kBusy ? 10 * kTime : kTime;
    queue_.Charge(uid, time);
    had[uid] += time;
  }
  EXPECT_LE(had[kBusy] - had[kOther], 10 * kTime);
  EXPECT_LE(had[kOther] - had[kBusy], 10 * kTime);
}

TEST_F(FairQueueTest, AUidThatAskedForNothingHasNothingSavedUp) {
  queue_.Push(kOther, 0);
  Serve();
  for (int i = 0; i < 1000; ++i) queue_.Push(kBusy, i);
  for (int i = 0; i < 500; ++i) Serve();
  // It has had far less, but was not there: they take turns from now on.
  for (int i = 0; i < 100; ++i) queue_.Push(kOther, i);
  int of_other = 0;
  for (int i = 0; i < 20; ++i) of_other += Serve() == kOther ? 1 : 0;
  EXPECT_LE(of_other, 11);
  EXPECT_GE(of_other, 9);
}

TEST_F(FairQueueTest, TimeIsChargedToAUidWhoseItemsWaitOrNot) {
  queue_.Charge(kBusy, 10 * kTime);
  queue_.Push(kBusy, 1);
  queue_.Push(kBusy, 2);
  queue_.Push(kOther, 1);
  EXPECT_EQ(Serve(), kOther);
  queue_.Push(kThird, 1);
  queue_.Charge(kThird, 100 * kTime);
  EXPECT_EQ(Serve(), kBusy);
  EXPECT_EQ(Serve(), kBusy);
  EXPECT_EQ(Serve(), kThird);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(FairQueueTest, ResetForgetsWhatEachUidHasHad) {
  queue_.Push(kBusy, 0);
  Serve(1000 * kTime);
  queue_.Reset();
  queue_.Push(kBusy, 1);
  queue_.Push(kOther, 1);
  EXPECT_EQ(Serve(), kBusy);
  EXPECT_EQ(Serve(), kOther);
}

}  // namespace
}  // namespace warmpool
