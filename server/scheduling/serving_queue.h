// ServingQueue: gRPC's completion queue of the daemon and the one thread that
// serves it. One thread, and this style, because that measured best: a second
// thread or queue costs a wake-up for every call, and the callback API more
// still (server/DESIGN.md).
//
// gRPC's queue is first come, first served, and gRPC reads no socket before
// that queue is empty: a client with many events would hold up all others. So
// the thread takes the events out after a fifth of a millisecond at most, and
// then serves the uids that they belong to in turn.
//
// Nothing that takes long may run on the thread: see Workers.
#ifndef WARMPOOL_SERVER_SCHEDULING_SERVING_QUEUE_H_
#define WARMPOOL_SERVER_SCHEDULING_SERVING_QUEUE_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "server/scheduling/fair_queue.h"

namespace warmpool {

class ServingQueue {
 public:
  // No process has this uid.
  static constexpr uid_t kNobody = static_cast<uid_t>(-1);

  // Something that gRPC was asked for, under the tag of its address. All
  // methods run on the serving thread. `ok`: as gRPC says of the operation.
  class Event {
   public:
    // It has come. Must take no longer than a look.
    virtual void OnArrival(bool) {}
    // Whose time OnEvent takes; kNobody if that is not known. Asked for after
    // OnArrival.
    virtual uid_t uid() const = 0;
    // Its turn has come. May delete it.
    virtual void OnEvent(bool ok) = 0;

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
  // For the OnArrival of a call: `request` asks gRPC for the next call of that
  // kind. Runs it at once; if many calls come, only after a look at the
  // sockets.
  void RequestNext(std::function<void()> request);
  // Serves until nobody holds the queue. Does nothing the second time.
  // REQUIRES: the server was shut down, so that all calls come to their end.
  void Stop();

 private:
  struct Item {
    Event* event = nullptr;
    bool ok = false;
  };

  void Main();
  // The next event of gRPC's queue; waits for it. nullopt: the queue was shut
  // down.
  std::optional<Item> Await();
  // Takes out what has come, and has gRPC look at the sockets.
  void TakeIn();
  // Serves uids in turn, for a slice of time.
  void ServeInTurn();

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const absl::Duration busy_poll_;
  const Clock& clock_;
  bool stopped_ = false;
  Thread thread_;

  // Of the serving thread.
  FairQueue<Item> waiting_;
  // Calls that came since the last TakeIn began.
  int arrivals_ = 0;
  // Requests for further calls that wait for the end of TakeIn.
  std::vector<std::function<void()>> requests_;
  // How often in a row TakeIn let in as many calls as it may.
  unsigned crowded_rounds_ = 0;
  // When gRPC's queue was last empty, for then it looks at the sockets, or had
  // its events taken out.
  absl::Time looked_at_ = absl::InfinitePast();

  Mutex mutex_;
  // Signalled when nobody holds the queue any more.
  CondVar idle_;
  size_t holds_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SCHEDULING_SERVING_QUEUE_H_
