// RpcStats: how often each RPC was answered, with what, and how long it took.
#ifndef WARMPOOL_SERVER_STATS_RPC_STATS_H_
#define WARMPOOL_SERVER_STATS_RPC_STATS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/latency_histogram.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Those that have an end: streams are not among them, but what is asked on a
// Session is, as the unary call of its kind.
enum class Rpc {
  kLease,
  kLeaseMany,
  kAttach,
  kSeal,
  kMakeTicket,
  kClaim,
  kRelease,
  kRenew,
  kAssert,
  kListBuffers,
  kListHolders,
  kGetStats,
  kTrim,
  kSetLogLevel,
  kShutdown,
};
inline constexpr size_t kRpcCount = 15;

// Thread-safe; recording takes no lock.
class RpcStats {
 public:
  // `on_activity` is called by the first record, and by the first after each
  // Rearm. `clock` must outlive this.
  RpcStats(const Clock* clock, std::function<void()> on_activity)
      : clock_(*clock), on_activity_(std::move(on_activity)) {}

  // When a request came, for the record of its answer.
  absl::Time Begin() const { return clock_.Now(); }
  void Record(Rpc rpc, absl::Time begun, absl::StatusCode code);
  // An answer that its caller chose to wait for: its time says nothing of the
  // daemon.
  void RecordUntimed(Rpc rpc, absl::StatusCode code);

  void Rearm() { rearmed_.store(true, std::memory_order_relaxed); }

  // Those RPCs that were answered.
  void Fill(google::protobuf::RepeatedPtrField<v1::RpcStats>* rpcs) const;

 private:
  // The canonical codes, OK to UNAUTHENTICATED.
  static constexpr size_t kCodes = 17;

  struct Counts {
    LatencyHistogram latency;
    std::array<std::atomic<uint64_t>, kCodes> outcomes{};
  };

  const Clock& clock_;
  const std::function<void()> on_activity_;
  std::array<Counts, kRpcCount> counts_;
  std::atomic<bool> rearmed_ = true;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATS_RPC_STATS_H_
