// ClientReclaim: gets memory back that clients keep idle in their lease caches,
// and lets requests for leases wait for it.
//
// Thread-safe.
#ifndef WARMPOOL_SERVER_RPC_CLIENT_RECLAIM_H_
#define WARMPOOL_SERVER_RPC_CLIENT_RECLAIM_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/pool/pool.h"
#include "server/clients/session_hub.h"
#include "server/rpc/memory_waits.h"

namespace warmpool {

class ClientReclaim {
 public:
  // How long a request waits for what clients give back. They have 100 ms.
  static constexpr absl::Duration kTrimWithin = absl::Milliseconds(250);

  // What is pointed to must outlive this.
  ClientReclaim(Pool* pool, SessionHub* sessions, const Clock* clock);

  // Starts the thread of those that wait for memory. RESOURCE_EXHAUSTED, naming
  // the limit: there is none.
  absl::Status Start() { return waits_.Start(); }
  // Wakes all that wait; no request waits from here on.
  void Stop() { waits_.Stop(); }

  // Bytes that clients keep idle, as they reported.
  uint64_t idle_bytes() const { return sessions_.idle_bytes(); }

  // Asks all clients for so many bytes; 0: all that is idle.
  void Trim(uint64_t wanted_bytes);
  // The same for a request that finds no room, but not if clients were asked
  // for as much within kTrimWithin: a client that asks and asks must not keep
  // others from their caches. Returns until when the request may wait.
  absl::Time TrimForRequest(uint64_t wanted_bytes);
  // As MemoryWaits::Add.
  bool Await(uid_t uid, uint64_t seen, absl::Time until,
             std::function<void()> wake) {
    return waits_.Add(uid, seen, until, std::move(wake));
  }
  // Asks for all that is idle, and waits for kTrimWithin. Returns the bytes
  // that were idle; where there are none it returns at once.
  uint64_t TrimAndWait();

 private:
  Pool& pool_;
  SessionHub& sessions_;
  const Clock& clock_;
  MemoryWaits waits_;

  Mutex mutex_;
  absl::Time trimmed_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t trimmed_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_CLIENT_RECLAIM_H_
