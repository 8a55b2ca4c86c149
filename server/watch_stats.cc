#include "server/watch_stats.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/pool/lease.h"
#include "server/conversion.h"
#include "server/grpc_status.h"

namespace warmpool {
namespace {

constexpr absl::Duration kDefaultInterval = absl::Seconds(1);
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
constexpr absl::Duration kLongestInterval = absl::Hours(1);

// Writes, then sleeps on an alarm, then writes again, until cancelled. One of
// these is always under way, and whichever it is finishes the call. Everything
// happens on the serving thread. Deletes itself.
class WatchStatsCall final {
 public:
  explicit WatchStatsCall(const Serving& serving)
      : hold_(serving.queue), serving_(serving) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* const queue = serving.queue->queue();
    serving.service->RequestWatchStats(&context_, &request_, &writer_, queue,
                                       queue, &begun_);
  }

 private:
  using Step = MemberEvent<WatchStatsCall>;

  void OnBegun(bool ok) {
    // The server shuts down; nothing else was asked for.
    if (!ok) {
      delete this;
      return;
    }
    AwaitWatchStats(serving_);
    const absl::StatusOr<Caller> caller =
        serving_.holders->Resolve(context_.peer());
    if (!caller.ok()) return Finish(ToGrpcStatus(caller.status()));
    absl::Status charged = charge_.Take(serving_.accounts, caller->uid,
                                        UidAccounts::Resource::kCalls);
    if (charged.ok()) {
      charged = watch_charge_.Take(serving_.accounts, caller->uid,
                                   UidAccounts::Resource::kStatsWatches);
    }
    if (!charged.ok()) return Finish(ToGrpcStatus(charged));
    const absl::StatusOr<absl::Duration> interval = WatchIntervalOf(request_);
    if (!interval.ok()) return Finish(ToGrpcStatus(interval.status()));
    request_ = v1::WatchStatsRequest();
    holder_ = caller->holder;
    uid_ = caller->uid;
    interval_ = *interval;
    Write();
  }

  void Write() {
    const absl::Time begun = serving_.rpc_stats->Begin();
    writer_.Write(*serving_.handlers->RecentStats(holder_), &written_);
    serving_.share->Charge(uid_, begun, /*request_bytes=*/0);
  }

  void OnWritten(bool ok) {
    if (!ok || is_over_) return Finish(grpc::Status::CANCELLED);
    sleeping_ = true;
    alarm_.Set(serving_.queue->queue(),
               absl::ToChronoTime(absl::Now() + interval_), &woken_);
  }

  void OnWoken(bool) {
    if (!is_over_ &&
        serving_.share->IsUsedUp(uid_, serving_.rpc_stats->Begin())) {
      // It sleeps on until there is time.
      serving_.share->WhenThereIsTime(uid_, [this] {
        alarm_.Set(serving_.queue->queue(), gpr_time_0(GPR_CLOCK_MONOTONIC),
                   &woken_);
      });
      return;
    }
    sleeping_ = false;
    if (is_over_) return Finish(grpc::Status::CANCELLED);
    Write();
  }

  void Finish(const grpc::Status& status) { writer_.Finish(status, &finished_); }

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

  const ServingQueue::Hold hold_;
  const Serving& serving_;
  UidCharge charge_;
  UidCharge watch_charge_;
  HolderId holder_ = 0;
  uid_t uid_ = 0;
  absl::Duration interval_;
  grpc::ServerContext context_;
  v1::WatchStatsRequest request_;
  grpc::ServerAsyncWriter<v1::GetStatsResponse> writer_{&context_};
  grpc::Alarm alarm_;
  bool sleeping_ = false;
  bool is_over_ = false;
  bool is_finished_ = false;

  Step begun_{this, &WatchStatsCall::OnBegun};
  Step written_{this, &WatchStatsCall::OnWritten};
  Step woken_{this, &WatchStatsCall::OnWoken};
  Step finished_{this, &WatchStatsCall::OnFinished};
  Step over_{this, &WatchStatsCall::OnOver};
};

}  // namespace

absl::StatusOr<absl::Duration> WatchIntervalOf(
    const v1::WatchStatsRequest& request) {
  if (!request.has_interval()) return kDefaultInterval;
  const absl::StatusOr<absl::Duration> interval =
      FromProto(request.interval(), "interval");
  if (!interval.ok()) return interval.status();
  if (*interval < kShortestInterval || *interval > kLongestInterval) {
    return absl::InvalidArgumentError(absl::StrCat(
        "interval ", absl::FormatDuration(*interval), " is outside of ",
        absl::FormatDuration(kShortestInterval), " to ",
        absl::FormatDuration(kLongestInterval)));
  }
  return *interval;
}

void AwaitWatchStats(const Serving& serving) { new WatchStatsCall(serving); }

}  // namespace warmpool
