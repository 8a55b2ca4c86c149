// WatchBuffers: what becomes of buffers, sent as it happens.
#ifndef WARMPOOL_SERVER_RPC_WATCH_BUFFERS_H_
#define WARMPOOL_SERVER_RPC_WATCH_BUFFERS_H_

#include "server/rpc/serving.h"

namespace warmpool {

// Begins to wait for a call, and then for the next.
void AwaitWatchBuffers(const Serving& serving);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_WATCH_BUFFERS_H_
