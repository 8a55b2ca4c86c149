// ServingQueue: gRPC's completion queue of the daemon and the one thread that
// serves it. One thread, and this style, because that measured best: a second
// thread or queue costs a wake-up for every call, and the callback API more
// still (server/DESIGN.md).
//
// Nothing that takes long may run on the thread: see Workers.
#ifndef WARMPOOL_SERVER_SERVING_QUEUE_H_
#define WARMPOOL_SERVER_SERVING_QUEUE_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

class ServingQueue {
 public:
  // Something that gRPC was asked for, under the tag of its address.
  class Event {
   public:
    // Runs on the serving thread. `ok`: as gRPC says of the operation.
    virtual void Happened(bool ok) = 0;

   protected:
    ~Event() = default;
  };

  // Belongs to a call for as long as it may ask gRPC for anything: the queue is
  // not shut down before, since whoever asks a queue that was shut down and has
  // nothing under way is aborted by gRPC.
  class Hold {
   public:
    // `queue` must outlive it.
    explicit Hold(ServingQueue* queue);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    ServingQueue& queue_;
  };

  // `busy_poll`: for so long after an event the thread asks for the next again
  // and again before it sleeps. Zero: it does not. `clock` must outlive this.
  ServingQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue,
               absl::Duration busy_poll, const Clock* clock);
  // Stops.
  ~ServingQueue();

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // Starts the thread. RESOURCE_EXHAUSTED, naming the limit: there is none.
  absl::Status Start();
  // Has `call` called soon by the serving thread, or by Stop. Thread-safe.
  // REQUIRES: the queue is not being stopped.
  void CallSoon(std::function<void()> call);
  // Serves until nobody holds the queue. Does nothing the second time.
  // REQUIRES: the server was shut down, so that all calls come to their end.
  void Stop();

 private:
  void Main();

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const absl::Duration busy_poll_;
  const Clock& clock_;
  bool stopped_ = false;
  Thread thread_;

  Mutex mutex_;
  // Signalled when nobody holds the queue any more.
  CondVar idle_;
  size_t holds_ ABSL_GUARDED_BY(mutex_) = 0;
};

// An event that a method of `owner` handles.
template <typename Owner>
class MemberEvent final : public ServingQueue::Event {
 public:
  using Method = void (Owner::*)(bool ok);

  // `owner` must outlive it.
  MemberEvent(Owner* owner, Method happened)
      : owner_(*owner), happened_(happened) {}

  void Happened(bool ok) override { (owner_.*happened_)(ok); }

 private:
  Owner& owner_;
  const Method happened_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SERVING_QUEUE_H_
