#include "client/admin/watching.h"

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "client/rpc/conversion.h"
#include "core/base/status_macros.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"

namespace warmpool {
namespace {

using Stub = DaemonChannel::Stub;

// For a connection: a daemon answers at once.
constexpr absl::Duration kPatience = absl::Seconds(10);

// An RPC that answers one request with a stream.
template <typename Request, typename Answer>
using StreamRpc = std::unique_ptr<grpc::ClientReaderInterface<Answer>> (
    Stub::*)(grpc::ClientContext*, const Request&);

// `what` is what the daemon sends.
template <typename Request, typename Answer>
absl::Status ReadEach(DaemonChannel* channel, StreamRpc<Request, Answer> rpc,
                      const Request& request, absl::string_view what,
                      const std::function<bool(const Answer&)>& on_answer) {
  RETURN_IF_ERROR(channel->CheckProcess());
  const absl::StatusOr<std::shared_ptr<DaemonLink>> link =
      channel->Link(kPatience);
  if (!link.ok()) {
    return channel->Explain(
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "no connection"),
        kPatience);
  }
  grpc::ClientContext context;
  const auto reader = ((*link)->stub().*rpc)(&context, request);
  Answer answer;
  while (reader->Read(&answer)) {
    if (on_answer(answer)) continue;
    context.TryCancel();
    reader->Finish();
    return absl::OkStatus();
  }
  const grpc::Status status = reader->Finish();
  if (DaemonChannel::ConnectionWasLost(status)) channel->RecordLost(*link);
  if (!status.ok()) return channel->Explain(status, absl::InfiniteDuration());
  return absl::UnavailableError(absl::StrCat(
      "the daemon at ", channel->target(), " stopped sending ", what));
}

}  // namespace

absl::Status WatchStats(
    DaemonChannel* channel, absl::Duration interval,
    const std::function<bool(const v1::GetStatsResponse&)>& on_stats) {
  v1::WatchStatsRequest request;
  *request.mutable_interval() = DurationToWire(interval);
  return ReadEach(channel, &Stub::WatchStats, request, "statistics", on_stats);
}

absl::Status WatchBuffers(
    DaemonChannel* channel, const std::string& name_prefix,
    const std::function<bool(const v1::BufferEvent&)>& on_event) {
  v1::WatchBuffersRequest request;
  request.set_name_prefix(name_prefix);
  return ReadEach(channel, &Stub::WatchBuffers, request, "events", on_event);
}

}  // namespace warmpool
