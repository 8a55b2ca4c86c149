// How much was already paid for a segment's pages.

#ifndef WARMPOOL_CORE_ENGINE_WARMTH_H_
#define WARMPOOL_CORE_ENGINE_WARMTH_H_

namespace warmpool {

enum class Warmth {
  // Retained after an earlier lease: its pages are populated and in use.
  kWarm,
  // Made ahead of its first lease, from stock.
  kStock,
  // Made for this lease, which waited for its pages.
  kFresh,
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_WARMTH_H_
