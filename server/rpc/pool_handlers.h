// PoolHandlers: the RPCs, done with the pool. One shape: validate, look up,
// act, answer.
#ifndef WARMPOOL_SERVER_RPC_POOL_HANDLERS_H_
#define WARMPOOL_SERVER_RPC_POOL_HANDLERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/book/buffer_events.h"
#include "core/pool/pool.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/rpc/client_reclaim.h"
#include "server/rpc/handlers.h"
#include "server/stats/shared_stats.h"
#include "server/stats/stats.h"

namespace warmpool {

// Thread-safe.
class PoolHandlers final : public Handlers {
 public:
  // Bounds one answer to about 256 KiB, well below what clients accept.
  static constexpr uint32_t kMaxPageSize = 1000;
  static constexpr uint32_t kDefaultPageSize = 100;

  struct Hooks {
    // Makes the daemon ready to stop; returns once, with `revoke`, every lease
    // has ended.
    std::function<v1::ShutdownResponse(bool revoke)> prepare_stop;
    // Stops it.
    std::function<void()> stop;
  };

  // What is pointed to must outlive this.
  PoolHandlers(Pool* pool, StatsSource* stats, ClientReclaim* reclaim,
               const Clock* clock, Hooks hooks);

  std::optional<absl::Status> LeaseIfReady(
      HolderId holder, const v1::LeaseRequest& request,
      RequestProgress* progress, v1::LeaseResponse* response) override;
  std::optional<absl::Status> Lease(HolderId holder,
                                    const v1::LeaseRequest& request,
                                    Waiter waiter,
                                    v1::LeaseResponse* response) override;
  std::optional<absl::Status> Attach(HolderId holder,
                                     const v1::AttachRequest& request,
                                     Waiter waiter,
                                     v1::AttachResponse* response) override;
  bool CancelWait(WaitId id) override { return pool_.CancelWait(id); }
  absl::Status Seal(HolderId holder, const v1::SealRequest& request,
                    v1::SealResponse* response) override;
  absl::Status MakeTicket(HolderId holder, const v1::MakeTicketRequest& request,
                          v1::MakeTicketResponse* response) override;
  absl::Status Claim(HolderId holder, const v1::ClaimRequest& request,
                     v1::ClaimResponse* response) override;
  absl::Status Release(HolderId holder, const v1::ReleaseRequest& request,
                       v1::ReleaseResponse* response) override;
  void ReleaseQuietly(
      HolderId holder,
      const google::protobuf::RepeatedPtrField<v1::LeaseRef>& leases) override;
  absl::Status Renew(HolderId holder, const v1::RenewRequest& request,
                     v1::RenewResponse* response) override;
  absl::Status Assert(HolderId holder, const v1::AssertRequest& request,
                      v1::AssertResponse* response) override;
  absl::Status ListBuffers(HolderId holder,
                           const v1::ListBuffersRequest& request,
                           v1::ListBuffersResponse* response) override;
  absl::Status ListHolders(HolderId holder,
                           const v1::ListHoldersRequest& request,
                           v1::ListHoldersResponse* response) override;
  absl::Status GetStats(HolderId holder, const v1::GetStatsRequest& request,
                        v1::GetStatsResponse* response) override;
  std::shared_ptr<const v1::GetStatsResponse> RecentStats(
      HolderId holder) override {
    return shared_stats_.For(pool_.FindHolder(holder));
  }
  absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> WatchBuffers(
      HolderId holder, const v1::WatchBuffersRequest& request,
      std::function<void()> wake) override;
  absl::Status Trim(HolderId holder, const v1::TrimRequest& request,
                    v1::TrimResponse* response) override;
  absl::Status Shutdown(HolderId holder, const v1::ShutdownRequest& request,
                        v1::ShutdownResponse* response) override;
  void StopWaiting() override { reclaim_.Stop(); }
  void OnShutdownAnswered() override { hooks_.stop(); }
  absl::Status SetLogLevel(HolderId holder,
                           const v1::SetLogLevelRequest& request,
                           v1::SetLogLevelResponse* response) override;

 private:
  // Counts a malformed request for a lease; returns its status.
  absl::Status Refused(HolderId holder, uint64_t bytes,
                       const absl::Status& status);

  Pool& pool_;
  StatsSource& stats_;
  ClientReclaim& reclaim_;
  const Clock& clock_;
  const Hooks hooks_;
  SharedStats shared_stats_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_POOL_HANDLERS_H_
