// PoolModel: a Pool, driven by random operations, and a plain model of what it
// promises.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_MODEL_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_MODEL_H_

#include <cstdint>
#include <map>
#include <string>

#include "tests/core/pool/model/model_run.h"

namespace warmpool {

class PoolModel {
 public:
  explicit PoolModel(uint64_t seed);

  // One random operation; expects of its answer what the model says.
  void Step();
  // Expects that pool, directory and model agree.
  void Check();
  // Ends everything, in one of the ways there are; expects that nothing is
  // left.
  void End();

  // Adds how often each thing happened that a model should have seen.
  void CountWhatHappened(std::map<std::string, uint64_t>* happened) const;

 private:
  // Nothing is granted any more, and nobody waits.
  void Drain();
  void RevokeAll();
  void EndHolders();
  // A uid that has nothing left may have as much as ever.
  void ExpectWholeQuota();

  ModelRun run_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_MODEL_H_
