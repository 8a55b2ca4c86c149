// What can be seen of a pool from outside, against what is expected of it.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_CHECK_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_CHECK_H_

#include "tests/core/pool/model/model_run.h"

namespace warmpool {

// Expects that pool, directory and model agree. Learns the ids of lingering
// leases, which the pool makes up.
void ExpectAgreement(ModelRun& run);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_CHECK_H_
