// WaitWaker: wakes requests to attach that wait for a buffer.
//
// Thousands may wait for one buffer: they are taken out of the book and woken
// a few at a time, and all but the first few by another thread.
//
// Thread-safe. Wake functions are called under no lock.
#ifndef WARMPOOL_CORE_BOOK_WAIT_WAKER_H_
#define WARMPOOL_CORE_BOOK_WAIT_WAKER_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <utility>

#include "absl/time/time.h"
#include "core/book/attach_waits.h"
#include "core/book/lease_book.h"

namespace warmpool {

class WaitWaker {
 public:
  // Waits that are taken out in one hold of the lock, about a microsecond each,
  // and woken by one call of `run_later`: each is a request that is made again.
  static constexpr size_t kWaitsAtOnce = 64;

  // `book` must outlive this. `run_later`: see PoolOptions.
  WaitWaker(LeaseBook* book,
            std::function<void(uid_t, std::function<void()>)> run_later)
      : book_(*book), run_later_(std::move(run_later)) {}

  static void Wake(const AttachWaits::Wakes& wakes);
  // The first ones at once, and has the rest woken.
  void Wake(AttachWaits::First first);
  // A few of the waits whose deadline has passed.
  void WakeDue(absl::Time now);
  // All waits. For a pool that drains: nobody else comes to wait.
  void WakeAll();

 private:
  void WakeLater(AttachWaits::Crowd crowd);
  // False: there are no more.
  bool WakeSome(const AttachWaits::Crowd& crowd);

  LeaseBook& book_;
  const std::function<void(uid_t, std::function<void()>)> run_later_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_WAIT_WAKER_H_
