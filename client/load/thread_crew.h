// ThreadCrew: each client is a thread.
#ifndef WARMPOOL_CLIENT_LOAD_THREAD_CREW_H_
#define WARMPOOL_CLIENT_LOAD_THREAD_CREW_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "client/load/crew.h"
#include "client/load/load_options.h"
#include "client/load/stop_flag.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

class ThreadCrew final : public Crew {
 public:
  // `options` and `clock` must outlive it. RESOURCE_EXHAUSTED, naming the
  // limit: too few threads are left.
  static absl::StatusOr<std::unique_ptr<ThreadCrew>> Make(
      const LoadOptions& options, const Clock* clock);
  ~ThreadCrew() override;

  bool WaitReady(absl::Duration timeout) override;
  void Start() override;
  bool WaitDone(absl::Duration timeout) override;
  uint64_t progress() const override {
    return progress_.load(std::memory_order_relaxed);
  }
  void Stop() override { stop_.Stop(); }
  Measurement Finish() override;

 private:
  ThreadCrew(const LoadOptions& options, const Clock* clock);
  void ClientMain(int index);
  // Waits until `*number` is that of all clients.
  bool WaitForAll(const int* number, absl::Duration timeout);

  const LoadOptions& options_;
  const Clock& clock_;
  StopFlag stop_;
  std::atomic<uint64_t> progress_ = 0;

  Mutex mutex_;
  CondVar changed_;
  int ready_ ABSL_GUARDED_BY(mutex_) = 0;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  int done_ ABSL_GUARDED_BY(mutex_) = 0;
  Measurement measured_ ABSL_GUARDED_BY(mutex_);

  std::vector<Thread> threads_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_THREAD_CREW_H_
