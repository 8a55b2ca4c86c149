// StockKeeper: makes segments ahead of demand, leases them, and gives them up
// when their memory is needed.
//
// Thread-safe. It makes, proves and frees segments outside of the book's lock.
#ifndef WARMPOOL_CORE_ENGINE_STOCK_KEEPER_H_
#define WARMPOOL_CORE_ENGINE_STOCK_KEEPER_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "core/engine/engine_book.h"
#include "core/engine/segment_pool_options.h"
#include "core/engine/sorter.h"
#include "core/engine/stock.h"
#include "core/memory/segment.h"
#include "core/memory/segment_source.h"
#include "core/memory/size_class.h"

namespace warmpool {

class StockKeeper {
 public:
  // What one step of MakeOne clears: a quarter of a millisecond.
  static constexpr uint64_t kStepBytes = kMiB;
  // For how long no stock is made after a lease lacked room.
  static constexpr absl::Duration kPause = absl::Seconds(1);

  // All must outlive this. `on_wanted` is called, under no lock, when MakeOne
  // may find something to make.
  StockKeeper(EngineBook* book, SegmentSource* source, const Clock* clock,
              Sorter* sorter, std::function<void()> on_wanted);

  // A segment that passed the proof, or nullopt. Counts the demand for it.
  std::optional<Segment> Take(const AcquireRequest& request,
                              SizeClass size_class);

  // SegmentPool::MakeStock.
  using StepRunner = absl::FunctionRef<bool(absl::FunctionRef<void()> step)>;
  bool MakeOne(StepRunner run_step);

  // Hands stock over to Batch until that has `bytes` bytes of it, and keeps any
  // from being made for `pause`. What is being made gives way. Returns how many
  // bytes it had.
  uint64_t GiveUp(uint64_t bytes, absl::Duration pause);

  void NotifyWanted();

 private:
  std::optional<Stock::Order> Begin();
  // Says how the making of `segment` went.
  void Finish(const Stock::Order& order, Segment segment, bool made);
  bool IsGivenUp() const;

  EngineBook& book_;
  SegmentSource& source_;
  const Clock& clock_;
  Sorter& sorter_;
  const std::function<void()> on_wanted_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_STOCK_KEEPER_H_
