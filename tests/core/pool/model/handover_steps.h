// Steps of a model's run: buffers that go to others, sealed or by a ticket.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_HANDOVER_STEPS_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_HANDOVER_STEPS_H_

#include "tests/core/pool/model/model_run.h"

namespace warmpool {

void SealOne(ModelRun& run);
void MakeTicketForOne(ModelRun& run);
void ClaimOne(ModelRun& run);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_HANDOVER_STEPS_H_
