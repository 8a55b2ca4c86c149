// HealthService: the standard health protocol, on the serving queue. (gRPC's
// own implementation is a callback service, and those have threads that poll
// every connection: each call would wake two threads instead of one.)
//
// Known are the server as a whole ("") and "warmpool.v1.MemoryPool"; both are
// the same.
#ifndef WARMPOOL_SERVER_RPC_HEALTH_H_
#define WARMPOOL_SERVER_RPC_HEALTH_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "core/base/mutex.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "server/rpc/async_call.h"

namespace warmpool {

class HealthWatch;

// Thread-safe.
class HealthService {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;
  // All messages come and go packed (server/rpc/packed_message.h).
  using Service = grpc::health::v1::Health::WithRawMethod_Check<
      grpc::health::v1::Health::WithRawMethod_Watch<
          grpc::health::v1::Health::Service>>;

  // For the server's builder.
  Service* service() { return &service_; }

  // Begins to wait for calls, which this must outlive.
  void Serve(const AsyncCall::Deps& deps);

  // Tells whoever watches.
  void SetServing(bool serving);

  // SERVICE_UNKNOWN: no such service.
  Status StatusOf(const std::string& name) const;

 private:
  friend class HealthWatch;

  void Add(HealthWatch* watch);
  void Remove(HealthWatch* watch);

  Service service_;

  // Held while a watch is told, which then asks for the status.
  Mutex watches_mutex_;
  absl::flat_hash_set<HealthWatch*> watches_ ABSL_GUARDED_BY(watches_mutex_);

  mutable Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_HEALTH_H_
