#include "server/watch_buffers.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "core/pool/buffer_events.h"
#include "core/pool/lease.h"
#include "server/conversion.h"
#include "server/grpc_status.h"

namespace warmpool {
namespace {

// Writes one event after the other; out of events, it waits to be woken. One of
// these is always under way, and whichever it is finishes the call. Everything
// but Wake happens on the serving thread. Deletes itself.
class WatchBuffersCall final {
 public:
  explicit WatchBuffersCall(const Serving& serving)
      : hold_(serving.queue), serving_(serving) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* const queue = serving.queue->queue();
    serving.service->RequestWatchBuffers(&context_, &request_, &writer_, queue,
                                         queue, &begun_);
  }

 private:
  using Step = MemberEvent<WatchBuffersCall>;

  void OnBegun(bool ok) {
    // The server shuts down; nothing else was asked for.
    if (!ok) {
      delete this;
      return;
    }
    AwaitWatchBuffers(serving_);
    const absl::StatusOr<Caller> caller =
        serving_.holders->Resolve(context_.peer());
    if (!caller.ok()) return Finish(ToGrpcStatus(caller.status()));
    const absl::Status charged = charge_.Take(
        serving_.accounts, caller->uid, UidAccounts::Resource::kCalls);
    if (!charged.ok()) return Finish(ToGrpcStatus(charged));
    request_.DiscardUnknownFields();
    absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> watch =
        serving_.handlers->WatchBuffers(caller->holder, request_,
                                        [this] { Wake(); });
    if (!watch.ok()) return Finish(ToGrpcStatus(watch.status()));
    watch_ = *std::move(watch);
    uid_ = caller->uid;
    WriteNext();
  }

  void WriteNext() {
    if (is_over_) return Finish(grpc::Status::CANCELLED);
    const absl::Time begun = serving_.rpc_stats->Begin();
    if (serving_.share->IsUsedUp(uid_, begun)) {
      // As if there were nothing, until there is time.
      is_waiting_ = true;
      is_woken_ = true;
      serving_.share->WhenThereIsTime(uid_, [this] { SetAlarm(); });
      return;
    }
    const std::shared_ptr<const BufferEvents::Event> event = watch_->Next();
    if (event == nullptr) {
      is_waiting_ = true;
      return;
    }
    writer_.Write(ToProto(*event), &written_);
    serving_.share->Charge(uid_, begun, /*request_bytes=*/0);
  }

  void OnWritten(bool ok) {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    WriteNext();
  }

  // On any thread, once each time that Next gave nothing: no alarm is set
  // twice. `watch_` does not go before this has returned.
  void Wake() {
    is_woken_ = true;
    SetAlarm();
  }

  void SetAlarm() {
    alarm_.Set(serving_.queue->queue(), gpr_time_0(GPR_CLOCK_MONOTONIC),
               &woken_);
  }

  void OnWoken(bool) {
    is_waiting_ = false;
    is_woken_ = false;
    WriteNext();
  }

  void Finish(const grpc::Status& status) {
    watch_.reset();
    writer_.Finish(status, &finished_);
  }

  void OnOver(bool) {
    is_over_ = true;
    if (is_waiting_) {
      watch_.reset();
      // From here on nobody wakes it. If somebody has, OnWoken finishes.
      if (!is_woken_) Finish(grpc::Status::CANCELLED);
    }
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
  uid_t uid_ = 0;
  grpc::ServerContext context_;
  v1::WatchBuffersRequest request_;
  grpc::ServerAsyncWriter<v1::BufferEvent> writer_{&context_};
  grpc::Alarm alarm_;
  // Until the call is finished.
  std::unique_ptr<BufferEvents::Watch> watch_;
  // For what Wake announces.
  bool is_waiting_ = false;
  std::atomic<bool> is_woken_ = false;
  bool is_over_ = false;
  bool is_finished_ = false;

  Step begun_{this, &WatchBuffersCall::OnBegun};
  Step written_{this, &WatchBuffersCall::OnWritten};
  Step woken_{this, &WatchBuffersCall::OnWoken};
  Step finished_{this, &WatchBuffersCall::OnFinished};
  Step over_{this, &WatchBuffersCall::OnOver};
};

}  // namespace

void AwaitWatchBuffers(const Serving& serving) {
  new WatchBuffersCall(serving);
}

}  // namespace warmpool
