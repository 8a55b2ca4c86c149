// StockWork: whether a segment is being made for stock, and whether one may be.
//
// At most one is made at a time. Whoever needs its room tells it to give up and
// waits until it is not running.
//
// Externally synchronised.
// Invariant: only what is running can be told to give up.
#ifndef WARMPOOL_CORE_ENGINE_STOCK_WORK_H_
#define WARMPOOL_CORE_ENGINE_STOCK_WORK_H_

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "core/base/check.h"

namespace warmpool {

class StockWork {
 public:
  // Whether a segment may be begun.
  bool MayBegin(absl::Time now) const { return !running_ && now >= pause_end_; }
  // REQUIRES: none is running.
  void Begin() {
    WARMPOOL_CHECK(!running_, "stock is being made already");
    running_ = true;
    given_up_ = false;
  }
  // What was begun is on a shelf, or Batch has it.
  void End() { running_ = given_up_ = false; }
  bool running() const { return running_; }

  // Tells what is running, if anything is, to give up.
  void GiveUp() { given_up_ = running_; }
  bool given_up() const { return given_up_; }

  // None is begun until then, or until a later time told before.
  void PauseUntil(absl::Time end) { pause_end_ = std::max(pause_end_, end); }

  // Whether something was wanted for which there was no room.
  void set_lacks_room(bool lacks_room) { lacks_room_ = lacks_room; }
  // The same, once.
  bool TakeLacksRoom() { return std::exchange(lacks_room_, false); }

  // Aborts, saying what is wrong, unless the invariant holds.
  void CheckInvariants() const {
    WARMPOOL_CHECK(running_ || !given_up_, "stock given up that nobody makes");
  }

 private:
  bool running_ = false;
  bool given_up_ = false;
  bool lacks_room_ = false;
  absl::Time pause_end_ = absl::InfinitePast();
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_STOCK_WORK_H_
