#include "tests/torture/hostile/slices.h"

#include <algorithm>

namespace warmpool::torture {

void Slices::Begin(SliceKind kind, absl::Time at) {
  slices_.push_back({.kind = kind, .begin = at});
}

std::optional<SliceKind> Slices::KindOf(absl::Time begin,
                                        absl::Time end) const {
  const auto next = std::upper_bound(
      slices_.begin(), slices_.end(), begin,
      [](absl::Time at, const Slice& slice) { return at < slice.begin; });
  if (next == slices_.begin()) return std::nullopt;
  const Slice& slice = *(next - 1);
  const absl::Time slice_end = next == slices_.end() ? end_ : next->begin;
  if (begin < slice.begin + settling_ || end >= slice_end) return std::nullopt;
  return slice.kind;
}

}  // namespace warmpool::torture
