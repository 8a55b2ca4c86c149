// Handlers: what each RPC does, written once for every way in which a request
// arrives (unary call or Session). One shape: validate, look up, act, answer.
#ifndef WARMPOOL_SERVER_HANDLERS_H_
#define WARMPOOL_SERVER_HANDLERS_H_

#include <functional>

#include "absl/status/status.h"
#include "core/base/clock.h"
#include "core/memory/segment_directory.h"
#include "core/memory/system_calls.h"
#include "core/pool/pool.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Thread-safe. `holder` is who asks, as the kernel knows it.
class Handlers {
 public:
  // Bounds one answer to about 256 KiB, well below what clients accept.
  static constexpr uint32_t kMaxPageSize = 1000;
  static constexpr uint32_t kDefaultPageSize = 100;

  // Stops the daemon; returns once no lease is granted any more and, with
  // `revoke`, every lease has ended.
  using StopFunction = std::function<v1::ShutdownResponse(bool revoke)>;

  // What is pointed to must outlive this.
  Handlers(Pool* pool, SegmentDirectory* directory, const SystemCalls* calls,
           const Clock* clock, StopFunction stop);

  absl::Status Lease(HolderId holder, const v1::LeaseRequest& request,
                     v1::LeaseResponse* response);
  absl::Status Attach(HolderId holder, const v1::AttachRequest& request,
                      v1::AttachResponse* response);
  absl::Status Release(HolderId holder, const v1::ReleaseRequest& request,
                       v1::ReleaseResponse* response);
  absl::Status Renew(HolderId holder, const v1::RenewRequest& request,
                     v1::RenewResponse* response);
  absl::Status Assert(HolderId holder, const v1::AssertRequest& request,
                      v1::AssertResponse* response);
  absl::Status ListBuffers(HolderId holder,
                           const v1::ListBuffersRequest& request,
                           v1::ListBuffersResponse* response);
  absl::Status GetStats(HolderId holder, const v1::GetStatsRequest& request,
                        v1::GetStatsResponse* response);
  absl::Status Shutdown(HolderId holder, const v1::ShutdownRequest& request,
                        v1::ShutdownResponse* response);

  // Answers one request of a Session, its status within the reply.
  v1::SessionReply Answer(HolderId holder, const v1::SessionRequest& request);

 private:
  // Counts a malformed request for a lease; returns its status.
  absl::Status Refused(const absl::Status& status);

  Pool& pool_;
  SegmentDirectory& directory_;
  const SystemCalls& calls_;
  const Clock& clock_;
  const absl::Time started_at_;
  const StopFunction stop_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HANDLERS_H_
