// SeededRandom: ids that a test can have again by naming their seed.
#ifndef WARMPOOL_TESTS_CORE_BASE_SEEDED_RANDOM_H_
#define WARMPOOL_TESTS_CORE_BASE_SEEDED_RANDOM_H_

#include <cstdint>
#include <random>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "core/base/random_id.h"

namespace warmpool {

// Thread-safe.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}

  RandomId Next() override {
    MutexLock lock(&mutex_);
    RandomId id;
    id.high = engine_();
    id.low = engine_();
    return id;
  }

 private:
  Mutex mutex_;
  std::mt19937_64 engine_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_BASE_SEEDED_RANDOM_H_
