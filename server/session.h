// Session: the bidirectional stream of one client. Requests are answered in
// the order they come, each with its tag; the daemon's notices go out between.
//
// SessionHub knows the open sessions, so that notices find their holder.
#ifndef WARMPOOL_SERVER_SESSION_H_
#define WARMPOOL_SERVER_SESSION_H_

#include <grpcpp/grpcpp.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/base/mutex.h"
#include "core/pool/lease.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/handlers.h"

namespace warmpool {

class SessionReactor;

// Thread-safe.
class SessionHub {
 public:
  // Sends to all sessions of a holder. One that has none is not told.
  void Notify(HolderId holder, const v1::SessionResponse& notice);
  void NotifyAll(const v1::SessionResponse& notice);

 private:
  friend class SessionReactor;

  void Add(HolderId holder, SessionReactor* session);
  void Remove(HolderId holder, SessionReactor* session);

  Mutex mutex_;
  absl::flat_hash_map<HolderId, absl::flat_hash_set<SessionReactor*>> sessions_
      ABSL_GUARDED_BY(mutex_);
};

// A reactor that serves one Session; it deletes itself when gRPC is done with
// it. `hub` and `handlers` must outlive it.
grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* ServeSession(
    HolderId holder, SessionHub* hub, Handlers* handlers);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SESSION_H_
