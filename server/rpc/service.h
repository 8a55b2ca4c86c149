// ServeMemoryPool: the gRPC face of the handlers. Every RPC has a call object
// that waits for the next call of it.
#ifndef WARMPOOL_SERVER_RPC_SERVICE_H_
#define WARMPOOL_SERVER_RPC_SERVICE_H_

#include "server/rpc/serving.h"

namespace warmpool {

// Begins to wait for calls. `serving` must outlive them: until its queue has
// stopped. REQUIRES: the server has been started.
void ServeMemoryPool(const Serving& serving);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_SERVICE_H_
