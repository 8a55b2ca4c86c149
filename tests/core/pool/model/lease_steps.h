// Steps of a model's run: leases on new buffers, their renewal and their end.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_LEASE_STEPS_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_LEASE_STEPS_H_

#include "tests/core/pool/model/model_run.h"

namespace warmpool {

void LeaseOne(ModelRun& run);
// Makes a request again that was answered: Lease, Attach or Claim.
void RepeatOne(ModelRun& run);
void RenewOne(ModelRun& run);
// Some in one call, at times as an admin.
void ReleaseSome(ModelRun& run);
// Ends what a holder without a connection has not used.
void EndUnused(ModelRun& run);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_LEASE_STEPS_H_
