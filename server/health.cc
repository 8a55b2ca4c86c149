#include "server/health.h"

#include <grpcpp/grpcpp.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"

namespace warmpool {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

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
  HealthWatch(HealthService* health, ServingQueue* queue)
      : hold_(queue), health_(*health), queue_(*queue) {
    context_.AsyncNotifyWhenDone(&over_);
    health_.service()->RequestWatch(&context_, &request_, &writer_,
                                    queue_.queue(), queue_.queue(), &begun_);
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
    new HealthWatch(&health_, &queue_);
    {
      MutexLock lock(&mutex_);
      // Ended by OnOver.
      ++steps_;
    }
    health_.Add(this);
    Update();
  }

  void UpdateLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    const HealthService::Status status = health_.StatusOf(request_.service());
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
    {
      MutexLock lock(&mutex_);
      finished_ = true;
      ++steps_;
      writer_.Finish(grpc::Status::CANCELLED, &finished_step_);
    }
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
  ServingQueue& queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
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

void HealthService::Serve(ServingQueue* queue) {
  new HealthCheck(this, queue);
  new HealthWatch(this, queue);
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
