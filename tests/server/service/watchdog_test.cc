#include "server/service/watchdog.h"

#include <functional>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "gtest/gtest.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

// Keeps what it is asked to call until it is told to.
class FakeThread {
 public:
  Watchdog::Probe probe() {
    return [this](std::function<void()> alive) {
      MutexLock lock(&mutex_);
      asked_.push_back(std::move(alive));
    };
  }
  size_t asked() {
    MutexLock lock(&mutex_);
    return asked_.size();
  }
  void Run() {
    std::vector<std::function<void()>> asked;
    {
      MutexLock lock(&mutex_);
      asked.swap(asked_);
    }
    for (const auto& alive : asked) alive();
  }

 private:
  Mutex mutex_;
  std::vector<std::function<void()>> asked_;
};

class WatchdogTest : public ::testing::Test {
 protected:
  void Start() {
    dog_ = std::make_unique<Watchdog>(
        Watchdog::Options{.period = absl::Milliseconds(1),
                          .probes = {serving_.probe(), maintenance_.probe()},
                          .on_alive = [this] { ++told_; }});
    ASSERT_TRUE(dog_->Prepare().ok());
    dog_->Start();
  }
  bool BothAreAsked() {
    return testing::Eventually(
        [this] { return serving_.asked() == 1 && maintenance_.asked() == 1; });
  }

  std::atomic<int> told_ = 0;
  FakeThread serving_;
  FakeThread maintenance_;
  std::unique_ptr<Watchdog> dog_;
};

TEST_F(WatchdogTest, TellsAgainAndAgainWhileEveryThreadAnswers) {
  Start();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(BothAreAsked());
    EXPECT_EQ(told_, i - 1);
    serving_.Run();
    maintenance_.Run();
    ASSERT_TRUE(testing::Eventually([&] { return told_ == i; }));
  }
}

TEST_F(WatchdogTest, TellsNothingWhileOneThreadIsStuckAndAsksItOnce) {
  Start();
  ASSERT_TRUE(BothAreAsked());
  serving_.Run();
  EXPECT_FALSE(
      testing::Eventually([this] { return told_ > 0 || serving_.asked() > 0; },
                          absl::Milliseconds(100)));
  EXPECT_EQ(maintenance_.asked(), 1u);
  // It was slow only.
  maintenance_.Run();
  EXPECT_TRUE(testing::Eventually([this] { return told_ == 1; }));
}

TEST_F(WatchdogTest, EndsWhileAThreadIsStuckWhichMayAnswerLater) {
  Start();
  ASSERT_TRUE(BothAreAsked());
  dog_.reset();
  serving_.Run();
  maintenance_.Run();
  EXPECT_EQ(told_, 0);
}

}  // namespace
}  // namespace warmpool
