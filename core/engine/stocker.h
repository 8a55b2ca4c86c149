// Stocker: makes stock while there is any to make, and sleeps otherwise, so
// that an idle daemon uses no CPU.
//
// On two threads. What takes long and no lock, the clearing of pages, is for an
// IdleThread. Planning, creating files and committing take locks that requests
// take too; a thread that got no processor time would keep them all waiting, so
// those are for a thread of usual priority. That one lets the request which
// took from stock be answered first: it rests for kRest after it was woken.
#ifndef WARMPOOL_CORE_ENGINE_STOCKER_H_
#define WARMPOOL_CORE_ENGINE_STOCKER_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/idle_thread.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

// Thread-safe.
class Stocker {
 public:
  // SegmentPool::MakeStock.
  using StepRunner = absl::FunctionRef<bool(absl::FunctionRef<void()> step)>;
  using Make = std::function<bool(StepRunner)>;

  // Some ten times what it takes to answer and be mapped, and little for one
  // who takes all there is.
  static constexpr absl::Duration kRest = absl::Milliseconds(3);

  Stocker() = default;
  ~Stocker() { Stop(); }

  // Gets the thread for Start. RESOURCE_EXHAUSTED, naming the limit: there is
  // none.
  absl::Status Prepare() { return thread_.Prepare("wp-stock"); }
  // From here on calls `make` for as long as it makes anything, now and after
  // each Wake. Errors as of Prepare.
  absl::Status Start(Make make);
  // There may be something to make. Does nothing where it was not started.
  void Wake();
  // Returns within a step.
  void Stop();

 private:
  void Main(const Make& make);
  // Until it is woken, and kRest more; neither once it is to stop.
  void AwaitWake();
  bool Stopping();

  Mutex mutex_;
  CondVar condition_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_STOCKER_H_
