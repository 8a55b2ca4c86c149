#include "server/stats/rpc_stats.h"

#include "server/stats/histogram.h"

namespace warmpool {
namespace {

const char* Name(Rpc rpc) {
  switch (rpc) {
    case Rpc::kLease: return "Lease";
    case Rpc::kLeaseMany: return "LeaseMany";
    case Rpc::kAttach: return "Attach";
    case Rpc::kSeal: return "Seal";
    case Rpc::kMakeTicket: return "MakeTicket";
    case Rpc::kClaim: return "Claim";
    case Rpc::kRelease: return "Release";
    case Rpc::kRenew: return "Renew";
    case Rpc::kAssert: return "Assert";
    case Rpc::kListBuffers: return "ListBuffers";
    case Rpc::kListHolders: return "ListHolders";
    case Rpc::kGetStats: return "GetStats";
    case Rpc::kTrim: return "Trim";
    case Rpc::kSetLogLevel: return "SetLogLevel";
    case Rpc::kShutdown: return "Shutdown";
  }
  return "?";
}

}  // namespace

void RpcStats::Record(Rpc rpc, absl::Time begun, absl::StatusCode code) {
  counts_[static_cast<size_t>(rpc)].latency.Record(clock_.Now() - begun);
  RecordUntimed(rpc, code);
}

void RpcStats::RecordUntimed(Rpc rpc, absl::StatusCode code) {
  const auto outcome = static_cast<size_t>(code);
  counts_[static_cast<size_t>(rpc)]
      .outcomes[outcome < kCodes
                    ? outcome
                    : static_cast<size_t>(absl::StatusCode::kUnknown)]
      .fetch_add(1, std::memory_order_relaxed);
  if (rearmed_.load(std::memory_order_relaxed) &&
      rearmed_.exchange(false, std::memory_order_relaxed)) {
    on_activity_();
  }
}

void RpcStats::Fill(
    google::protobuf::RepeatedPtrField<v1::RpcStats>* rpcs) const {
  for (size_t i = 0; i < kRpcCount; ++i) {
    v1::RpcStats stats;
    for (size_t code = 0; code < kCodes; ++code) {
      const uint64_t count =
          counts_[i].outcomes[code].load(std::memory_order_relaxed);
      if (count == 0) continue;
      v1::RpcStats::Outcome* const outcome = stats.add_outcomes();
      outcome->set_code(static_cast<int>(code));
      outcome->set_count(count);
    }
    if (stats.outcomes().empty()) continue;
    stats.set_method(Name(static_cast<Rpc>(i)));
    *stats.mutable_latency() = ToProto(counts_[i].latency.Take());
    *rpcs->Add() = std::move(stats);
  }
}

}  // namespace warmpool
