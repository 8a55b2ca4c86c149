// Handlers: what each RPC does, for every way in which a request arrives (a
// unary call or a Session). PoolHandlers does it with the pool.
#ifndef WARMPOOL_SERVER_RPC_HANDLERS_H_
#define WARMPOOL_SERVER_RPC_HANDLERS_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/book/attach_waits.h"
#include "core/book/buffer_events.h"
#include "core/lease/lease.h"
#include "core/pool/reservation.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Leases that one request may be about for the serving thread to carry it out,
// about 10 us each; more are for workers.
inline constexpr int kFewLeases = 16;
// That one request may be about at all.
inline constexpr int kMaxLeasesInRequest = 1000;

// Whether so few leases end when these are released: one that is released for
// all members of its channel brings the ends of theirs.
inline bool EndFew(
    const google::protobuf::RepeatedPtrField<v1::LeaseRef>& leases) {
  return leases.size() <= kFewLeases &&
         std::none_of(
             leases.begin(), leases.end(),
             [](const v1::LeaseRef& ref) { return ref.for_all_members(); });
}

// How far a request has come that is made again until it can be answered.
struct RequestProgress {
  // Until when it waits. InfinitePast: it has not waited so far.
  absl::Time until = absl::InfinitePast();
  // What a lease has reserved while its memory is made.
  Reservation reservation = {};
};

// How to make a request again that waits until it can be answered.
struct Waiter {
  WaitId id;
  // Called once, on any thread, which it must not hold up: makes the request
  // again.
  std::function<void()> wake;
  // The same object each time.
  RequestProgress* progress;
};

// Thread-safe. `holder` is who asks, as the kernel knows it.
class Handlers {
 public:
  virtual ~Handlers() = default;

  // --- Quick: may run on the thread that serves everybody ---

  // Lease, where it can be answered at once; nullopt: call Lease,
  // with the same progress.
  virtual std::optional<absl::Status> LeaseIfReady(
      HolderId holder, const v1::LeaseRequest& request,
      RequestProgress* progress, v1::LeaseResponse* response) = 0;
  // nullopt: it waits, and `waiter` is woken.
  virtual std::optional<absl::Status> Attach(HolderId holder,
                                             const v1::AttachRequest& request,
                                             Waiter waiter,
                                             v1::AttachResponse* response) = 0;
  // False: it is being woken, or was.
  virtual bool CancelWait(WaitId id) = 0;
  virtual absl::Status Seal(HolderId holder, const v1::SealRequest& request,
                            v1::SealResponse* response) = 0;
  virtual absl::Status MakeTicket(HolderId holder,
                                  const v1::MakeTicketRequest& request,
                                  v1::MakeTicketResponse* response) = 0;
  virtual absl::Status Claim(HolderId holder, const v1::ClaimRequest& request,
                             v1::ClaimResponse* response) = 0;
  // These are quick for up to kFewLeases; of releases, if EndFew.
  virtual absl::Status Release(HolderId holder,
                               const v1::ReleaseRequest& request,
                               v1::ReleaseResponse* response) = 0;
  // Release, for a holder that does not ask what becomes of it.
  virtual void ReleaseQuietly(
      HolderId holder,
      const google::protobuf::RepeatedPtrField<v1::LeaseRef>& leases) = 0;
  virtual absl::Status Renew(HolderId holder, const v1::RenewRequest& request,
                             v1::RenewResponse* response) = 0;
  // What GetStats answers, or answered a moment ago: the same to all who watch.
  // For workers: it takes milliseconds now and then.
  virtual std::shared_ptr<const v1::GetStatsResponse> RecentStats(
      HolderId holder) = 0;
  virtual absl::Status SetLogLevel(HolderId holder,
                                   const v1::SetLogLevelRequest& request,
                                   v1::SetLogLevelResponse* response) = 0;
  // `wake` is as in BufferEvents. The watch must end before the pool does.
  virtual absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> WatchBuffers(
      HolderId holder, const v1::WatchBuffersRequest& request,
      std::function<void()> wake) = 0;

  // --- Slow: make memory, open files, or go through all leases ---

  // nullopt: it waits for memory that others may give back, and `waiter` is
  // woken then. Several requests that are made one after the other may share
  // their `waiter.progress`: they wait no longer together than one.
  virtual std::optional<absl::Status> Lease(HolderId holder,
                                            const v1::LeaseRequest& request,
                                            Waiter waiter,
                                            v1::LeaseResponse* response) = 0;
  virtual absl::Status GetStats(HolderId holder,
                                const v1::GetStatsRequest& request,
                                v1::GetStatsResponse* response) = 0;
  virtual absl::Status Assert(HolderId holder, const v1::AssertRequest& request,
                              v1::AssertResponse* response) = 0;
  virtual absl::Status ListBuffers(HolderId holder,
                                   const v1::ListBuffersRequest& request,
                                   v1::ListBuffersResponse* response) = 0;
  virtual absl::Status ListHolders(HolderId holder,
                                   const v1::ListHoldersRequest& request,
                                   v1::ListHoldersResponse* response) = 0;
  virtual absl::Status Trim(HolderId holder, const v1::TrimRequest& request,
                            v1::TrimResponse* response) = 0;
  virtual absl::Status Shutdown(HolderId holder,
                                const v1::ShutdownRequest& request,
                                v1::ShutdownResponse* response) = 0;
  // Whoever waits for memory is woken, and nobody waits for it any more.
  virtual void StopWaiting() {}
  // The answer to a Shutdown that was OK is on its way.
  virtual void OnShutdownAnswered() {}
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_HANDLERS_H_
