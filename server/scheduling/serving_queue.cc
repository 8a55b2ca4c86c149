#include "server/scheduling/serving_queue.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace warmpool {
namespace {

// For how long events are served before gRPC looks at the sockets again, as
// long as a few warm leases take. A client whose socket has become readable
// waits for that long, and for one TakeIn.
constexpr absl::Duration kSlice = absl::Microseconds(200);
// For how long events are taken out at a stretch, should there be no end of
// them.
constexpr absl::Duration kLongestTakeIn = absl::Microseconds(500);
// gRPC looks at one ready socket at a time, and says that there is no event if
// that socket had none. After so many times in a row there is hardly one left,
// unless somebody has hundreds of connections, and sends a byte now and then on
// each.
constexpr int kLooksInVain = 4;
// Calls that one TakeIn lets in. gRPC keeps the others that it has read; they
// take memory that counts for nobody.
constexpr int kMostArrivals = 32;
// After so many rounds in a row that let in all they may, it is no mere burst.
constexpr unsigned kBurstRounds = 32;
// Nobody waits this long for a queue that has an event.
constexpr absl::Duration kAsleep = absl::Microseconds(20);

// An alarm that is due at once: that is how gRPC 1.51 lets one thread wake
// another's completion queue.
class Call final : public ServingQueue::Event {
 public:
  Call(ServingQueue* queue, std::function<void()> call)
      : hold_(queue), call_(std::move(call)) {
    alarm_.Set(queue->queue(), gpr_time_0(GPR_CLOCK_MONOTONIC), this);
  }

  // Waits for nobody.
  void OnArrival(bool) override { call_(); }
  uid_t uid() const override { return ServingQueue::kNobody; }
  void OnEvent(bool) override { delete this; }

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

void ServingQueue::RequestNext(std::function<void()> request) {
  if (++arrivals_ <= kMostArrivals) {
    request();
  } else {
    requests_.push_back(std::move(request));
  }
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
  while (const std::optional<Item> item = Await()) {
    arrivals_ = 0;
    item->event->OnArrival(item->ok);
    if (clock_.Now() - looked_at_ < kSlice) {
      // Nobody is behind: first come, first served.
      item->event->OnEvent(item->ok);
      continue;
    }
    waiting_.Push(item->event->uid(), *item);
    while (!waiting_.empty()) {
      TakeIn();
      ServeInTurn();
    }
    waiting_.Reset();
  }
}

std::optional<ServingQueue::Item> ServingQueue::Await() {
  void* tag = nullptr;
  bool ok = false;
  const absl::Time begun = clock_.Now();
  auto next = grpc::CompletionQueue::TIMEOUT;
  if (busy_poll_ > absl::ZeroDuration()) {
    do {
      next = queue_->AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC));
    } while (next == grpc::CompletionQueue::TIMEOUT &&
             clock_.Now() < begun + busy_poll_);
  }
  if (next == grpc::CompletionQueue::SHUTDOWN) return std::nullopt;
  if (next == grpc::CompletionQueue::TIMEOUT && !queue_->Next(&tag, &ok)) {
    return std::nullopt;
  }
  const absl::Time now = clock_.Now();
  if (now - begun >= kAsleep) looked_at_ = now;
  return Item{.event = static_cast<Event*>(tag), .ok = ok};
}

void ServingQueue::TakeIn() {
  const absl::Time begun = clock_.Now();
  absl::Time now = begun;
  arrivals_ = 0;
  // While calls wait to be let in, gRPC looks at the sockets in every fourth
  // round only: each look may bring more calls, which nobody counts. If they do
  // not end after a burst of a thousand, the looks become rarer and rarer.
  const bool looks = crowded_rounds_ < kBurstRounds
                         ? crowded_rounds_ % 4 == 0
                         : std::has_single_bit(crowded_rounds_);
  for (int in_vain = 0;
       in_vain < kLooksInVain && now - begun < kLongestTakeIn;) {
    if (arrivals_ >= kMostArrivals && !looks) break;
    void* tag = nullptr;
    Item item;
    const auto next =
        queue_->AsyncNext(&tag, &item.ok, gpr_time_0(GPR_CLOCK_MONOTONIC));
    const absl::Time before = std::exchange(now, clock_.Now());
    if (next != grpc::CompletionQueue::GOT_EVENT) {
      ++in_vain;
      continue;
    }
    in_vain = 0;
    item.event = static_cast<Event*>(tag);
    item.event->OnArrival(item.ok);
    const uid_t uid = item.event->uid();
    waiting_.Push(uid, item);
    // What gRPC did meanwhile was for this uid, as a rule.
    now = clock_.Now();
    waiting_.Charge(uid, std::min(now - before, kSlice));
  }
  crowded_rounds_ = arrivals_ >= kMostArrivals ? crowded_rounds_ + 1 : 0;
  for (const std::function<void()>& request : requests_) request();
  requests_.clear();
  looked_at_ = now;
}

void ServingQueue::ServeInTurn() {
  const absl::Time begun = clock_.Now();
  absl::Time now = begun;
  while (!waiting_.empty() && now - begun < kSlice) {
    uid_t uid = 0;
    const Item item = waiting_.Pop(&uid);
    item.event->OnEvent(item.ok);
    const absl::Time before = std::exchange(now, clock_.Now());
    waiting_.Charge(uid, now - before);
  }
}

}  // namespace warmpool
