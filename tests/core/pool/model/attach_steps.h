// Steps of a model's run: leases on buffers that are there, or waited for.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_ATTACH_STEPS_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_ATTACH_STEPS_H_

#include "tests/core/pool/model/model_run.h"

namespace warmpool {

void AttachOne(ModelRun& run);
// One request that waits for its buffer if it must, or a crowd of them.
void WaitForOne(ModelRun& run);
// Makes the request of a wait again that was woken.
void RetryWoken(ModelRun& run);
void CancelWait(ModelRun& run);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_ATTACH_STEPS_H_
