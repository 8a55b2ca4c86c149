// CheckedOut: counts what a shelf has given out and still answers for, until
// the shelf is told what has become of it.
//
// Externally synchronised.
// Invariants: never below zero; no segments have no bytes.
#ifndef WARMPOOL_CORE_ENGINE_CHECKED_OUT_H_
#define WARMPOOL_CORE_ENGINE_CHECKED_OUT_H_

#include <cstddef>
#include <cstdint>

#include "core/base/check.h"

namespace warmpool {

class CheckedOut {
 public:
  // Of a segment of `bytes` bytes.
  void Add(uint64_t bytes) {
    ++segments_;
    bytes_ += bytes;
  }
  // REQUIRES: a segment of `bytes` bytes is out.
  void Remove(uint64_t bytes) {
    WARMPOOL_CHECK(segments_ > 0 && bytes_ >= bytes,
                   "more came back to a shelf than it gave out");
    --segments_;
    bytes_ -= bytes;
  }

  size_t segments() const { return segments_; }
  uint64_t bytes() const { return bytes_; }

  // Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const {
    WARMPOOL_CHECK(segments_ > 0 || bytes_ == 0,
                   "bytes are out without a segment");
  }

 private:
  size_t segments_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_CHECKED_OUT_H_
