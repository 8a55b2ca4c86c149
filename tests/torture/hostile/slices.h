// Slices: when the hostile uid was stopped and when it ran, so that what a
// bystander measured can be told apart by its time. Not thread-safe.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_SLICES_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_SLICES_H_

#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace warmpool::torture {

enum class SliceKind { kQuiet, kHostile };

class Slices {
 public:
  // What happens in a slice's first `settling` is nobody's: a daemon has work
  // left over when its clients are stopped.
  explicit Slices(absl::Duration settling) : settling_(settling) {}

  // The slice before ends. REQUIRES: `at` is not before that one's beginning.
  void Begin(SliceKind kind, absl::Time at);
  // The last one ends.
  void End(absl::Time at) { end_ = at; }

  // The kind of the slice that the whole span lies in. nullopt: it lies in
  // none, or in more than one.
  std::optional<SliceKind> KindOf(absl::Time begin, absl::Time end) const;

 private:
  struct Slice {
    SliceKind kind;
    absl::Time begin;
  };

  const absl::Duration settling_;
  std::vector<Slice> slices_;
  absl::Time end_ = absl::InfiniteFuture();
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_SLICES_H_
