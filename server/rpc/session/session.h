// Session: the bidirectional stream of one client. Requests begin in the order
// in which they come, and each answer has its tag; what takes long is answered
// later and holds up nothing. The daemon's notices go out between.
//
// A client that does not read is not read from either: answers that wait are
// bounded, and one that lets notices pile up loses the stream.
#ifndef WARMPOOL_SERVER_RPC_SESSION_SESSION_H_
#define WARMPOOL_SERVER_RPC_SESSION_SESSION_H_

#include "server/rpc/serving.h"

namespace warmpool {

// Begins to wait for a Session, and then for the next. `serving` must outlive
// them.
void AwaitSession(const Serving& serving);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_SESSION_SESSION_H_
