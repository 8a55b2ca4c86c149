#include "server/rpc/watch_stats.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/rpc/async_call.h"
#include "server/rpc/packed_message.h"
#include "server/wire/conversion.h"
#include "server/wire/grpc_status.h"

namespace warmpool {
namespace {

constexpr absl::Duration kDefaultInterval = absl::Seconds(1);
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
constexpr absl::Duration kLongestInterval = absl::Hours(1);

// Writes, then sleeps on an alarm, then writes again, until cancelled. One of
// these is always under way, and whichever it is finishes the call.
class WatchStatsCall final : public AsyncCall {
 public:
  explicit WatchStatsCall(const Serving& serving)
      : AsyncCall(serving.call_deps()), serving_(serving) {
    context().AsyncNotifyWhenDone(&over_);
    serving.service->RequestWatchStats(&context(), &received_, &writer_,
                                       queue(), queue(), begun());
  }

 private:
  using Step = AsyncCall::Step<WatchStatsCall>;

  void AwaitNext() override { AwaitWatchStats(serving_); }

  void OnBegun(const absl::Status& admitted) override {
    absl::Status charged = admitted;
    if (charged.ok()) {
      charged = watch_charge_.Take(serving_.accounts, caller().uid,
                                   UidAccounts::Resource::kStatsWatches);
    }
    v1::WatchStatsRequest request;
    if (charged.ok()) charged = UnpackShort(&received_, &request);
    if (!charged.ok()) return Finish(ToGrpcStatus(charged));
    const absl::StatusOr<absl::Duration> interval = WatchIntervalOf(request);
    if (!interval.ok()) return Finish(ToGrpcStatus(interval.status()));
    interval_ = *interval;
    Write();
  }

  // By a worker: it may take milliseconds to gather them.
  void Write() {
    serving_.workers->Run(caller().uid, [this] {
      writer_.Write(Pack(*serving_.handlers->RecentStats(caller().holder)),
                    &written_);
    });
  }

  void OnWritten(bool ok) {
    if (!ok || is_over_) return Finish(grpc::Status::CANCELLED);
    sleeping_ = true;
    alarm_.Set(queue(), absl::ToChronoTime(absl::Now() + interval_), &woken_);
  }

  void OnWoken(bool) {
    sleeping_ = false;
    if (is_over_) return Finish(grpc::Status::CANCELLED);
    Write();
  }

  void Finish(const grpc::Status& status) {
    received_.Clear();
    writer_.Finish(status, &finished_);
  }

  void OnOver(bool) {
    is_over_ = true;
    if (sleeping_) alarm_.Cancel();
    DeleteIfDone();
  }

  void OnFinished(bool) {
    is_finished_ = true;
    DeleteIfDone();
  }

  void DeleteIfDone() {
    if (is_over_ && is_finished_) delete this;
  }

  const Serving& serving_;
  UidCharge watch_charge_;
  absl::Duration interval_;
  grpc::ByteBuffer received_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer_{&context()};
  grpc::Alarm alarm_;
  bool sleeping_ = false;
  bool is_over_ = false;
  bool is_finished_ = false;

  Step written_{this, &WatchStatsCall::OnWritten};
  Step woken_{this, &WatchStatsCall::OnWoken};
  Step finished_{this, &WatchStatsCall::OnFinished};
  Step over_{this, &WatchStatsCall::OnOver};
};

}  // namespace

absl::StatusOr<absl::Duration> WatchIntervalOf(
    const v1::WatchStatsRequest& request) {
  if (!request.has_interval()) return kDefaultInterval;
  ASSIGN_OR_RETURN(const absl::Duration interval,
                   FromProto(request.interval(), "interval"));
  if (interval < kShortestInterval || interval > kLongestInterval) {
    return absl::InvalidArgumentError(
        absl::StrCat("interval ", absl::FormatDuration(interval),
                     " is outside of ", absl::FormatDuration(kShortestInterval),
                     " to ", absl::FormatDuration(kLongestInterval)));
  }
  return interval;
}

void AwaitWatchStats(const Serving& serving) { new WatchStatsCall(serving); }

}  // namespace warmpool
