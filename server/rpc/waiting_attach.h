// WaitingAttach: a request to attach from when it is made until it is answered
// or cancelled. Meanwhile it takes no thread: the pool wakes it when what it
// waits for may have come, and it is made again, by whoever woke it.
//
// Thread-safe. Kept alive by the pool while it waits.
#ifndef WARMPOOL_SERVER_RPC_WAITING_ATTACH_H_
#define WARMPOOL_SERVER_RPC_WAITING_ATTACH_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/lease/lease.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/rpc/handlers.h"
#include "server/stats/rpc_stats.h"

namespace warmpool {

class WaitingAttach : public std::enable_shared_from_this<WaitingAttach> {
 public:
  // What is pointed to must outlive this.
  WaitingAttach(Handlers* handlers, RpcStats* stats, HolderId holder,
                v1::AttachRequest request)
      : handlers_(*handlers),
        stats_(*stats),
        holder_(holder),
        request_(std::move(request)) {}
  virtual ~WaitingAttach() = default;

  // Makes the request. To be called once.
  void Try();

  // Nobody waits for the answer any more. Unless it is being answered,
  // OnCancelled follows, by this thread or by one that tries.
  void Cancel();

 protected:
  // Before each try: a number that comes back in OnTried. Two tries may
  // overlap: the end of one that goes on to wait, and the next.
  virtual uint64_t OnTry() = 0;
  // nullopt: it waits. Otherwise this was the last try.
  virtual void OnTried(uint64_t number, std::optional<absl::Status> status,
                       v1::AttachResponse* response) = 0;
  // There is no further try.
  virtual void OnCancelled() = 0;

 private:
  Handlers& handlers_;
  RpcStats& stats_;
  const HolderId holder_;
  const v1::AttachRequest request_;

  bool cancelled();

  // Set by the first try, before it waits; read by the later ones only.
  RequestProgress progress_;

  Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_WAITING_ATTACH_H_
