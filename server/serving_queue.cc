#include "server/serving_queue.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>

#include <utility>

namespace warmpool {
namespace {

// An alarm that is due at once: that is how gRPC 1.51 lets one thread wake
// another's completion queue.
class Call final : public ServingQueue::Event {
 public:
  Call(ServingQueue* queue, std::function<void()> call)
      : hold_(queue), call_(std::move(call)) {
    alarm_.Set(queue->queue(), gpr_time_0(GPR_CLOCK_MONOTONIC), this);
  }

  void Happened(bool) override {
    call_();
    delete this;
  }

 private:
  ServingQueue::Hold hold_;
  const std::function<void()> call_;
  grpc::Alarm alarm_;
};

}  // namespace

ServingQueue::ServingQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue,
                           absl::Duration busy_poll, const Clock* clock)
    : queue_(std::move(queue)), busy_poll_(busy_poll), clock_(*clock) {}

ServingQueue::~ServingQueue() { Stop(); }

ServingQueue::Hold::Hold(ServingQueue* queue) : queue_(*queue) {
  MutexLock lock(&queue_.mutex_);
  ++queue_.holds_;
}

ServingQueue::Hold::~Hold() {
  // Signalled under the lock: the queue may go as soon as it is given up.
  MutexLock lock(&queue_.mutex_);
  if (--queue_.holds_ == 0) queue_.idle_.NotifyAll();
}

absl::Status ServingQueue::Start() {
  return thread_.Start("wpd-serving", [this] { Main(); });
}

void ServingQueue::CallSoon(std::function<void()> call) {
  new Call(this, std::move(call));
}

void ServingQueue::Stop() {
  if (std::exchange(stopped_, true)) return;
  if (thread_.running()) {
    {
      MutexLock lock(&mutex_);
      while (holds_ > 0) idle_.Wait(&mutex_);
    }
    queue_->Shutdown();
    thread_.Join();
  } else {
    queue_->Shutdown();
    // A queue must be empty when it is destroyed.
    Main();
  }
}

void ServingQueue::Main() {
  void* tag = nullptr;
  bool ok = false;
  for (;;) {
    auto next = grpc::CompletionQueue::TIMEOUT;
    if (busy_poll_ > absl::ZeroDuration()) {
      const absl::Time until = clock_.Now() + busy_poll_;
      do {
        next = queue_->AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC));
      } while (next == grpc::CompletionQueue::TIMEOUT && clock_.Now() < until);
    }
    if (next == grpc::CompletionQueue::SHUTDOWN) return;
    if (next == grpc::CompletionQueue::TIMEOUT && !queue_->Next(&tag, &ok)) {
      return;
    }
    static_cast<Event*>(tag)->Happened(ok);
  }
}

}  // namespace warmpool
