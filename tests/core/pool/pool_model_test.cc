// Random operations on a Pool, beside the plainest model of what it promises.
// After each step the two must agree, and the directory with them.
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock.h"
#include "tests/core/pool/pool_model.h"

namespace warmpool {
namespace {

constexpr uint64_t kSeeds = 40;
constexpr int kSteps = 400;

class PoolModelTest : public testing::Test {
 protected:
  // One run. Stops at the first step that fails.
  static void Run(uint64_t seed) {
    PoolModel model(seed);
    for (int step = 0; step < kSteps; ++step) {
      SCOPED_TRACE(testing::Message() << "step " << step);
      model.Step();
      model.Check();
      if (HasFailure()) return;
    }
    model.End();
  }
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
}

}  // namespace
}  // namespace warmpool
