// Random operations on a Pool, beside the plainest model of what it promises.
// After each step the two must agree, and the directory with them.
#include "tests/core/pool/model/pool_model.h"

#include <stdlib.h>

#include <algorithm>
#include <map>
#include <string>

#include "gmock/gmock-matchers.h"

namespace warmpool {
namespace {

constexpr uint64_t kSeeds = 40;
constexpr int kSteps = 400;

class PoolModelTest : public testing::Test {
 protected:
  // One run. Stops at the first step that fails.
  void Run(uint64_t seed) {
    PoolModel model(seed);
    for (int step = 0; step < kSteps; ++step) {
      SCOPED_TRACE(testing::Message() << "step " << step);
      model.Step();
      model.Check();
      if (HasFailure()) return;
    }
    model.End();
    model.CountWhatHappened(&happened_);
  }

  std::map<std::string, uint64_t> happened_;
};

TEST_F(PoolModelTest, APoolAndItsModelAgreeAfterEveryStep) {
  uint64_t first = 1;
  uint64_t last = kSeeds;
  if (const char* const seed = getenv("WARMPOOL_MODEL_SEED")) {
    first = last = strtoull(seed, nullptr, 10);
  }
  for (uint64_t seed = first; seed <= last; ++seed) {
    Run(seed);
    ASSERT_FALSE(HasFailure())
        << "repeat with: bazel test //tests/core/pool:pool_model_test "
        << "--test_env=WARMPOOL_MODEL_SEED=" << seed;
  }
  if (first == last) return;
  for (const auto& [what, times] : happened_) {
    EXPECT_GT(times, kSeeds / 4) << "too rarely for a test: " << what;
  }
}

}  // namespace
}  // namespace warmpool
