// AttachCall: the unary Attach, which may wait.
#ifndef WARMPOOL_SERVER_RPC_ATTACH_CALL_H_
#define WARMPOOL_SERVER_RPC_ATTACH_CALL_H_

#include "server/rpc/serving.h"

namespace warmpool {

// Begins to wait for a call, and then for the next.
void AwaitAttach(const Serving& serving);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_ATTACH_CALL_H_
