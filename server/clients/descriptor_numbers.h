// DescriptorNumbers: which number the descriptor of the next connection gets.
//
// gRPC names peers by descriptor number ("fd:N"), so a number must not be
// another connection's while a call of the former one may be under way. gRPC
// sees to that itself: each call holds its transport, and only the transport's
// end closes the descriptor (gRPC 1.51, ~grpc_chttp2_transport). This does not
// rest on it alone: numbers are given out in turn over the whole range, and one
// that was seen free only a short while ago rests as long as another is to be
// had. Where few descriptors are allowed, the one that comes next in turn is
// used all the same: to refuse everybody would be worse.
#ifndef WARMPOOL_SERVER_CLIENTS_DESCRIPTOR_NUMBERS_H_
#define WARMPOOL_SERVER_CLIENTS_DESCRIPTOR_NUMBERS_H_

#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/unique_fd.h"

namespace warmpool {

// Externally synchronised.
class DescriptorNumbers {
 public:
  static constexpr absl::Duration kRest = absl::Seconds(30);

  struct Range {
    int first;
    int end;
  };

  // `clock` must outlive this.
  explicit DescriptorNumbers(const Clock* clock) : clock_(*clock) {}

  // A duplicate of `fd` with the next number of `range`; invalid, with errno
  // set, when none is free.
  UniqueFd Renumber(const UniqueFd& fd, Range range);

  // Numbers that are in use or rest, as far as it is known.
  size_t size() const { return freed_at_.size(); }

 private:
  // The next free number from `from` on, going on at the range's beginning.
  static UniqueFd Duplicate(const UniqueFd& fd, int from, Range range);
  // Whether a number, which is free, has been so for long enough.
  bool HasRested(int number);
  // Looks at a few numbers that were given out, whether they are free.
  void LookForFree();

  const Clock& clock_;
  int next_ = 0;
  // Of the numbers given out: when each was first seen to be free.
  // InfiniteFuture: it was not.
  absl::flat_hash_map<int, absl::Time> freed_at_;
  // The same numbers, in the order in which they are looked at.
  std::deque<int> looked_at_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_DESCRIPTOR_NUMBERS_H_
