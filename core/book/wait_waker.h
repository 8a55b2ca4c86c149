// WaitWaker: wakes attach requests that wait for a buffer.
//
// Thousands may wait for one buffer. They are removed from the book and woken a
// few at a time; another thread wakes all but the first few.
//
// Thread-safe. Wake functions are called with no lock held.
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
  // How many waits one hold of the lock removes (about a microsecond each) and
  // one call of `run_later` wakes. Each wake repeats a request.
  static constexpr size_t kWaitsAtOnce = 64;

  // `book` must outlive this. `run_later`: see PoolOptions.
  WaitWaker(LeaseBook* book,
            std::function<void(uid_t, std::function<void()>)> run_later)
      : book_(*book), run_later_(std::move(run_later)) {}

  static void Wake(const AttachWaits::Wakes& wakes);
  // Wakes the first ones at once, and the rest on another thread.
  void Wake(AttachWaits::First first);
  // Wakes a few of the waits whose deadline has passed.
  void WakeDue(absl::Time now);
  // Wakes all waits. For a draining pool, to which no wait is added.
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
