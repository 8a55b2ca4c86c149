// Steps of a model's run: leases that a client says it has.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_ASSERT_STEPS_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_ASSERT_STEPS_H_

#include "tests/core/pool/model/model_run.h"

namespace warmpool {

void AssertOne(ModelRun& run);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_ASSERT_STEPS_H_
