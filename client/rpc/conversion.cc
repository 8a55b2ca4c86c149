#include "client/rpc/conversion.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

// google/protobuf/duration.proto: 60 s * 60 min * 24 h * 365.25 d * 10000 y.
constexpr int64_t kLongestSeconds = 315'576'000'000;

}  // namespace

absl::Status StatusFromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

absl::Status StatusFromResult(const v1::Result& result) {
  return absl::Status(static_cast<absl::StatusCode>(result.code()),
                      result.message());
}

absl::Status ResultOfRelease(const v1::ReleaseResponse& response,
                             bool repeated) {
  if (response.results_size() != 1) {
    return absl::InternalError(absl::StrCat(
        "the daemon gave ", response.results_size(), " results for one lease"));
  }
  const absl::Status result = StatusFromResult(response.results(0));
  return absl::IsNotFound(result) && repeated ? absl::OkStatus() : result;
}

google::protobuf::Duration DurationToWire(absl::Duration duration) {
  const absl::Duration longest = absl::Seconds(kLongestSeconds);
  duration = std::clamp(duration, -longest, longest);
  google::protobuf::Duration wire;
  wire.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  wire.set_nanos(static_cast<int32_t>(
      absl::IDivDuration(duration, absl::Nanoseconds(1), &duration)));
  return wire;
}

absl::Duration DurationFromWire(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

}  // namespace warmpool
