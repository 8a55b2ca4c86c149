// FairQueue: items that wait for one thread, a queue for each uid. Next is an
// item of the uid that has had the least of the thread's time; the items of one
// uid keep their order (start-time fair queueing).
//
// Not thread-safe.
// Invariants: every uid with items is in `order_` once, under the time that it
// has had.
#ifndef WARMPOOL_SERVER_SCHEDULING_FAIR_QUEUE_H_
#define WARMPOOL_SERVER_SCHEDULING_FAIR_QUEUE_H_

#include <sys/types.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace warmpool {

template <typename Item>
class FairQueue {
 public:
  bool empty() const { return order_.empty(); }

  void Push(uid_t uid, Item item) {
    Queue& queue = queues_[uid];
    if (queue.items.empty()) {
      // Time in which it asked for nothing is not saved up.
      queue.had = std::max(queue.had, least_);
      order_.emplace(queue.had, uid);
    }
    queue.items.push_back(std::move(item));
  }

  // REQUIRES: it is not empty. Takes out the next item, and tells whose it is.
  Item Pop(uid_t* uid) {
    const auto first = order_.begin();
    least_ = first->first;
    *uid = first->second;
    Queue& queue = queues_.at(*uid);
    Item item = std::move(queue.items.front());
    queue.items.pop_front();
    if (queue.items.empty()) order_.erase(first);
    return item;
  }

  // The uid has had this much more of the thread's time.
  void Charge(uid_t uid, absl::Duration time) {
    Queue& queue = queues_[uid];
    const bool waits = order_.erase({queue.had, uid}) > 0;
    queue.had += time;
    if (waits) order_.emplace(queue.had, uid);
  }

  // Forgets what each uid has had. REQUIRES: it is empty.
  void Reset() {
    queues_.clear();
    least_ = absl::ZeroDuration();
  }

 private:
  struct Queue {
    std::deque<Item> items;
    // Since Reset. A uid that comes later begins with least_.
    absl::Duration had;
  };

  absl::flat_hash_map<uid_t, Queue> queues_;
  std::set<std::pair<absl::Duration, uid_t>> order_;
  // What the uid had that was served last.
  absl::Duration least_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SCHEDULING_FAIR_QUEUE_H_
