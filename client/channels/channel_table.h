// ChannelTable: the buffers of a channel that a process has mapped, and which
// of them are free.
//
// Not thread-safe. Invariants: a free buffer is in exactly one list, that of
// its class; one that is in use or away is in none. The budget has what is
// reserved and every buffer that was made here.
#ifndef WARMPOOL_CLIENT_CHANNELS_CHANNEL_TABLE_H_
#define WARMPOOL_CLIENT_CHANNELS_CHANNEL_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "client/channels/channel_budget.h"
#include "client/channels/channel_token.h"
#include "client/leases/mapped_lease.h"
#include "core/base/random_id.h"
#include "core/memory/size_class.h"

namespace warmpool {

// A buffer of a channel, mapped here.
struct ChannelSegment {
  enum class Where { kInUse, kFree, kAway };

  RandomId id;
  std::unique_ptr<MappedLease> lease;
  Where where = Where::kInUse;
  // Bytes that its user asked for.
  uint64_t size = 0;
  // How often it was given, by whomever, as far as is known here: a token that
  // comes a second time is told by it.
  uint64_t round = 0;
  // Bytes that it takes of the budget. 0: another member made it.
  uint64_t made_bytes = 0;
  // Since when it is free.
  absl::Time free_since;
  // Away: when to see whether anybody else has a lease on it, and whether
  // nobody had when that was seen last.
  absl::Time look_at;
  bool alone = false;
};

class ChannelTable {
 public:
  using Predicate = absl::FunctionRef<bool(ChannelSegment& segment)>;

  // What was taken out, to be unmapped and released.
  struct Leaving {
    std::unique_ptr<MappedLease> lease;
    // Nobody else is to use it any more, either.
    bool for_all_members = false;
  };

  explicit ChannelTable(ChannelBudget budget) : budget_(std::move(budget)) {}

  // Who asks the daemon for a buffer takes its bytes first, and gives them back
  // where there is none; for one that was added, Remove does.
  ChannelBudget& budget() { return budget_; }

  // Null: it is not mapped here.
  ChannelSegment* Find(const RandomId& id);
  // In use from here on. `token` has its id, round and size. REQUIRES: it is
  // not here, and `made_bytes` were taken of the budget.
  ChannelSegment* Add(const ChannelToken& token,
                      std::unique_ptr<MappedLease> lease, uint64_t made_bytes);

  // The one of a class that was freed last, in use from here on; null: none.
  ChannelSegment* TakeFree(SizeClass size_class);
  // REQUIRES: it is in use.
  void PutFree(ChannelSegment* segment, absl::Time now);

  Leaving Remove(ChannelSegment* segment);
  std::vector<Leaving> RemoveIf(Predicate predicate);

  bool empty() const { return segments_.empty(); }

 private:
  ChannelBudget budget_;
  absl::flat_hash_map<RandomId, std::unique_ptr<ChannelSegment>> segments_;
  // The one freed last at the end.
  std::map<SizeClass, std::vector<ChannelSegment*>> free_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CHANNELS_CHANNEL_TABLE_H_
