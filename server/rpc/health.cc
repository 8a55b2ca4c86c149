#include "server/rpc/health.h"

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "server/rpc/packed_message.h"
#include "server/wire/grpc_status.h"

namespace warmpool {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// More than any name has that is known.
constexpr size_t kMaxNameBytes = 128;

class HealthCheck final : public AsyncCall {
 public:
  HealthCheck(HealthService* health, const Deps& deps)
      : AsyncCall(deps), health_(*health), deps_(deps) {
    health_.service()->RequestCheck(&context(), &received_, &writer_, queue(),
                                    queue(), begun());
  }

 private:
  void AwaitNext() override { new HealthCheck(&health_, deps_); }

  void OnBegun(const absl::Status& admitted) override {
    absl::Status status = admitted;
    HealthCheckRequest request;
    if (status.ok()) status = UnpackShort(&received_, &request);
    HealthCheckResponse response;
    response.set_status(health_.StatusOf(request.service()));
    if (status.ok() &&
        response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      status = absl::NotFoundError(
          absl::StrCat("no service is named \"", request.service(), "\""));
    }
    received_.Clear();
    if (!status.ok()) {
      writer_.FinishWithError(ToGrpcStatus(status), &finished_);
      return;
    }
    writer_.Finish(Pack(response), grpc::Status::OK, &finished_);
  }

  void OnFinished(bool) { delete this; }

  HealthService& health_;
  const Deps deps_;
  grpc::ByteBuffer received_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context()};
  Step<HealthCheck> finished_{this, &HealthCheck::OnFinished};
};

}  // namespace

class HealthWatch final : public AsyncCall {
 public:
  HealthWatch(HealthService* health, const Deps& deps)
      : AsyncCall(deps), health_(*health), deps_(deps) {
    context().AsyncNotifyWhenDone(&over_);
    health_.service()->RequestWatch(&context(), &received_, &writer_, queue(),
                                    queue(), begun());
  }

  // The status may have changed.
  void Update() {
    MutexLock lock(&mutex_);
    UpdateLocked();
  }

 private:
  using Step = AsyncCall::Step<HealthWatch>;

  void AwaitNext() override { new HealthWatch(&health_, deps_); }

  void OnBegun(const absl::Status& admitted) override {
    {
      MutexLock lock(&mutex_);
      // Ended by OnOver.
      ++steps_;
    }
    absl::Status status = admitted;
    HealthCheckRequest request;
    if (status.ok()) status = UnpackShort(&received_, &request);
    received_.Clear();
    if (!status.ok()) return Finish(ToGrpcStatus(status));
    service_ = std::move(*request.mutable_service());
    if (service_.size() > kMaxNameBytes) service_.resize(kMaxNameBytes);
    health_.Add(this);
    Update();
  }

  void Finish(const grpc::Status& status) {
    MutexLock lock(&mutex_);
    if (std::exchange(finished_, true)) return;
    ++steps_;
    writer_.Finish(status, &finished_step_);
  }

  void UpdateLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    const HealthService::Status status = health_.StatusOf(service_);
    if (told_ == status) return;
    told_ = status;
    writing_ = true;
    ++steps_;
    HealthCheckResponse response;
    response.set_status(status);
    writer_.Write(Pack(response), &written_);
  }

  void OnWritten(bool) {
    {
      MutexLock lock(&mutex_);
      writing_ = false;
      UpdateLocked();
    }
    EndStep();
  }

  void OnOver(bool) {
    health_.Remove(this);
    Finish(grpc::Status::CANCELLED);
    EndStep();
  }

  void OnFinished(bool) { EndStep(); }

  void EndStep() {
    {
      MutexLock lock(&mutex_);
      if (--steps_ > 0) return;
    }
    delete this;
  }

  HealthService& health_;
  const Deps deps_;
  grpc::ByteBuffer received_;
  std::string service_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer_{&context()};

  Mutex mutex_;
  int steps_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<HealthService::Status> told_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;

  Step written_{this, &HealthWatch::OnWritten};
  Step finished_step_{this, &HealthWatch::OnFinished};
  Step over_{this, &HealthWatch::OnOver};
};

void HealthService::Serve(const AsyncCall::Deps& deps) {
  new HealthCheck(this, deps);
  new HealthWatch(this, deps);
}

HealthService::Status HealthService::StatusOf(const std::string& name) const {
  if (!name.empty() && name != v1::MemoryPool::service_full_name()) {
    return HealthCheckResponse::SERVICE_UNKNOWN;
  }
  MutexLock lock(&mutex_);
  return serving_ ? HealthCheckResponse::SERVING
                  : HealthCheckResponse::NOT_SERVING;
}

void HealthService::SetServing(bool serving) {
  {
    MutexLock lock(&mutex_);
    serving_ = serving;
  }
  MutexLock lock(&watches_mutex_);
  for (HealthWatch* const watch : watches_) watch->Update();
}

void HealthService::Add(HealthWatch* watch) {
  MutexLock lock(&watches_mutex_);
  watches_.insert(watch);
}

void HealthService::Remove(HealthWatch* watch) {
  MutexLock lock(&watches_mutex_);
  watches_.erase(watch);
}

}  // namespace warmpool
