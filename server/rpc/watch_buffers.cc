#include "server/rpc/watch_buffers.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/book/buffer_events.h"
#include "server/rpc/async_call.h"
#include "server/rpc/packed_message.h"
#include "server/wire/conversion.h"
#include "server/wire/grpc_status.h"

namespace warmpool {
namespace {

// Writes one event after the other; out of events, it waits to be woken. One of
// these is always under way, and whichever it is finishes the call.
class WatchBuffersCall final : public AsyncCall {
 public:
  explicit WatchBuffersCall(const Serving& serving)
      : AsyncCall(serving.call_deps()), serving_(serving) {
    context().AsyncNotifyWhenDone(&over_);
    serving.service->RequestWatchBuffers(&context(), &received_, &writer_,
                                         queue(), queue(), begun());
  }

 private:
  using Step = AsyncCall::Step<WatchBuffersCall>;

  void AwaitNext() override { AwaitWatchBuffers(serving_); }

  void OnBegun(const absl::Status& admitted) override {
    absl::Status unpacked = admitted;
    v1::WatchBuffersRequest request;
    if (unpacked.ok()) unpacked = UnpackShort(&received_, &request);
    if (!unpacked.ok()) return Finish(ToGrpcStatus(unpacked));
    absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> watch =
        serving_.handlers->WatchBuffers(caller().holder, request,
                                        [this] { Wake(); });
    if (!watch.ok()) return Finish(ToGrpcStatus(watch.status()));
    watch_ = *std::move(watch);
    WriteNext();
  }

  void WriteNext() {
    if (is_over_) return Finish(grpc::Status::CANCELLED);
    const std::shared_ptr<const BufferEvents::Event> event = watch_->Next();
    if (event == nullptr) {
      is_waiting_ = true;
      return;
    }
    writer_.Write(Pack(ToProto(*event)), &written_);
  }

  void OnWritten(bool ok) {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    WriteNext();
  }

  // On any thread, once each time that Next gave nothing: no alarm is set
  // twice. `watch_` does not go before this has returned.
  void Wake() {
    is_woken_ = true;
    alarm_.Set(queue(), gpr_time_0(GPR_CLOCK_MONOTONIC), &woken_);
  }

  void OnWoken(bool) {
    is_waiting_ = false;
    is_woken_ = false;
    WriteNext();
  }

  void Finish(const grpc::Status& status) {
    received_.Clear();
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

  const Serving& serving_;
  grpc::ByteBuffer received_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer_{&context()};
  grpc::Alarm alarm_;
  // Until the call is finished.
  std::unique_ptr<BufferEvents::Watch> watch_;
  // For what Wake announces.
  bool is_waiting_ = false;
  std::atomic<bool> is_woken_ = false;
  bool is_over_ = false;
  bool is_finished_ = false;

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
