// Steps of a model's run: what happens around the pool, to which it reacts.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_SURROUNDING_STEPS_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_SURROUNDING_STEPS_H_

#include "absl/time/time.h"
#include "tests/core/pool/model/model_run.h"

namespace warmpool {

// Time passes, and the pool does what is due.
void AdvanceAndTick(ModelRun& run);
void AdvanceAndTick(ModelRun& run, absl::Duration passed, absl::Time as_of);

void AddHolder(ModelRun& run);
void KillHolder(ModelRun& run);

// A client opens a buffer's file, or stops having it open: proofs fail between.
void OpenFile(ModelRun& run);
void CloseFile(ModelRun& run);
// A client takes pages of a buffer away.
void TamperWithOne(ModelRun& run);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_SURROUNDING_STEPS_H_
