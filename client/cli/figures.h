// The few figures that people ask for first, of the daemon's statistics.
#ifndef WARMPOOL_CLIENT_CLI_FIGURES_H_
#define WARMPOOL_CLIENT_CLI_FIGURES_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

absl::Duration ToDuration(const google::protobuf::Duration& duration);

// Leases of buffers: warm, stock and fresh ones. Attaching is none.
uint64_t GrantedLeases(const v1::LeaseCounts& leases);

// The share of warm ones: "99.7 %"; "-" where none was granted.
std::string HitRatioText(const v1::LeaseCounts& leases);

// "p50 14.1 us, p99 91.2 us", or "-" where it was not called.
std::string LatencyText(
    const google::protobuf::RepeatedPtrField<v1::RpcStats>& rpcs,
    absl::string_view method);

// "3s ago: RESOURCE_EXHAUSTED, 900 MiB, asked for by camera (pid 12)", or
// "none". Why that was is its message.
std::string LastRefusalText(const v1::GetStatsResponse& stats);
// The same of one refusal.
std::string RefusalText(const v1::Refusal& refusal);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_FIGURES_H_
