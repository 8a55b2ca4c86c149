#include "server/watch_stats.h"

#include <grpcpp/alarm.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "core/base/mutex.h"
#include "server/conversion.h"
#include "server/grpc_status.h"

namespace warmpool {
namespace {

constexpr absl::Duration kDefaultInterval = absl::Seconds(1);
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
constexpr absl::Duration kLongestInterval = absl::Hours(1);

// Writes, then sleeps on an alarm, then writes again, until cancelled. Either a
// write or an alarm is always under way, and whichever it is finishes the call:
// so neither is left when OnDone comes.
class WatchStatsReactor final
    : public grpc::ServerWriteReactor<v1::GetStatsResponse> {
 public:
  WatchStatsReactor(HolderId holder, absl::Duration interval,
                    Handlers* handlers)
      : holder_(holder), interval_(interval), handlers_(*handlers) {
    Write();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    if (!ok) cancelled_ = true;
    if (cancelled_) {
      Finish(grpc::Status::CANCELLED);
      return;
    }
    sleeping_ = true;
    // One alarm a sleep: the callback of the last may still be running.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(absl::ToChronoTime(absl::Now() + interval_),
                [this](bool) { OnAlarm(); });
  }

  void OnCancel() override {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    if (sleeping_) alarm_->Cancel();
  }

  void OnDone() override { delete this; }

 private:
  void OnAlarm() {
    bool cancelled;
    {
      MutexLock lock(&mutex_);
      sleeping_ = false;
      cancelled = cancelled_;
    }
    if (cancelled) {
      Finish(grpc::Status::CANCELLED);
    } else {
      Write();
    }
  }

  void Write() {
    response_.Clear();
    const absl::Status status =
        handlers_.GetStats(holder_, v1::GetStatsRequest(), &response_);
    if (status.ok()) {
      StartWrite(&response_);
    } else {
      Finish(ToGrpcStatus(status));
    }
  }

  const HolderId holder_;
  const absl::Duration interval_;
  Handlers& handlers_;
  // Belongs to the write under way.
  v1::GetStatsResponse response_;

  Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool sleeping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
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

grpc::ServerWriteReactor<v1::GetStatsResponse>* ServeWatchStats(
    HolderId holder, absl::Duration interval, Handlers* handlers) {
  return new WatchStatsReactor(holder, interval, handlers);
}

}  // namespace warmpool
