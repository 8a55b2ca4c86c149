#include "server/health.h"

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "server/grpc_status.h"

namespace warmpool {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// More than any name has that is known.
constexpr size_t kMaxNameBytes = 128;

// One Check. Deletes itself.
class HealthCheck final : public ServingQueue::Event {
 public:
  HealthCheck(HealthService* health, ServingQueue* queue)
      : hold_(queue), health_(*health), queue_(*queue) {
    health_.service()->RequestCheck(&context_, &request_, &writer_,
                                    queue_.queue(), queue_.queue(), this);
  }

  void Happened(bool ok) override {
    if (std::exchange(answered_, true) || !ok) {
      delete this;
      return;
    }
    new HealthCheck(&health_, &queue_);
    HealthCheckResponse response;
    response.set_status(health_.StatusOf(request_.service()));
    if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      writer_.FinishWithError(
          grpc::Status(grpc::StatusCode::NOT_FOUND,
                       absl::StrCat("no service is named \"",
                                    request_.service(), "\"")),
          this);
    } else {
      writer_.Finish(response, grpc::Status::OK, this);
    }
  }

 private:
  const ServingQueue::Hold hold_;
  HealthService& health_;
  ServingQueue& queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncResponseWriter<HealthCheckResponse> writer_{&context_};
  bool answered_ = false;
};

}  // namespace

// One Watch. Deletes itself.
class HealthWatch final {
 public:
  HealthWatch(HealthService* health, const HealthService::Deps& deps)
      : hold_(deps.queue), health_(*health), deps_(deps) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* const queue = deps_.queue->queue();
    health_.service()->RequestWatch(&context_, &request_, &writer_, queue,
                                    queue, &begun_);
  }

  // The status may have changed.
  void Update() {
    MutexLock lock(&mutex_);
    UpdateLocked();
  }

 private:
  using Step = MemberEvent<HealthWatch>;

  void OnBegun(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    new HealthWatch(&health_, deps_);
    {
      MutexLock lock(&mutex_);
      // Ended by OnOver.
      ++steps_;
    }
    service_ = std::move(*request_.mutable_service());
    request_ = HealthCheckRequest();
    if (service_.size() > kMaxNameBytes) service_.resize(kMaxNameBytes);
    const absl::Status charged = Charge();
    if (!charged.ok()) return Finish(ToGrpcStatus(charged));
    health_.Add(this);
    Update();
  }

  absl::Status Charge() {
    const absl::StatusOr<Caller> caller =
        deps_.holders->Resolve(context_.peer());
    if (!caller.ok()) return caller.status();
    return charge_.Take(deps_.accounts, caller->uid,
                        UidAccounts::Resource::kCalls);
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
    writer_.Write(response, &written_);
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

  const ServingQueue::Hold hold_;
  HealthService& health_;
  const HealthService::Deps deps_;
  UidCharge charge_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  std::string service_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_{&context_};

  Mutex mutex_;
  int steps_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<HealthService::Status> told_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;

  Step begun_{this, &HealthWatch::OnBegun};
  Step written_{this, &HealthWatch::OnWritten};
  Step finished_step_{this, &HealthWatch::OnFinished};
  Step over_{this, &HealthWatch::OnOver};
};

void HealthService::Serve(const Deps& deps) {
  new HealthCheck(this, deps.queue);
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
