#include "core/engine/stocker.h"

#include <atomic>
#include <functional>
#include <thread>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

// Makes as many as are wanted, of two steps each.
class Maker {
 public:
  bool Make(Stocker::StepRunner run_step) {
    ++asked;
    if (wanted == 0) return false;
    for (int step = 0; step < 2; ++step) {
      if (!run_step([this] { ++steps; })) return true;
    }
    --wanted;
    return true;
  }

  std::atomic<int> wanted = 0;
  std::atomic<int> steps = 0;
  std::atomic<int> asked = 0;
};

void AwaitUntil(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

TEST(StockerTest, MakesAllThereIsAndSleepsUntilItIsWoken) {
  Maker maker;
  Stocker stocker;
  maker.wanted = 3;
  ASSERT_TRUE(
      stocker.Start([&](Stocker::StepRunner run) { return maker.Make(run); })
          .ok());
  AwaitUntil([&] { return maker.asked == 4; });
  EXPECT_EQ(maker.steps, 6);
  maker.wanted = 1;
  EXPECT_EQ(maker.asked, 4) << "nobody woke it";
  stocker.Wake();
  AwaitUntil([&] { return maker.asked == 6; });
  EXPECT_EQ(maker.wanted, 0);
}

TEST(StockerTest, StopsBetweenTwoSteps) {
  Stocker stocker;
  std::atomic<bool> stepping = false;
  ASSERT_TRUE(stocker
                  .Start([&](Stocker::StepRunner run) {
                    while (run([&] { stepping = true; })) {
                    }
                    return true;
                  })
                  .ok());
  AwaitUntil([&] { return stepping.load(); });
  stocker.Stop();
}

TEST(StockerTest, NeitherWakingNorStoppingNeedsAStart) {
  Stocker stocker;
  stocker.Wake();
  stocker.Stop();
}

}  // namespace
}  // namespace warmpool
