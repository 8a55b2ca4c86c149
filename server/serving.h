// Serving: what every call needs of the daemon.
#ifndef WARMPOOL_SERVER_SERVING_H_
#define WARMPOOL_SERVER_SERVING_H_

#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "server/handlers.h"
#include "server/holder_registry.h"
#include "server/rpc_stats.h"
#include "server/serving_queue.h"
#include "server/serving_share.h"
#include "server/session_hub.h"
#include "server/uid_accounts.h"
#include "server/workers.h"

namespace warmpool {

// Messages of a Session come as they are: unpacking a large one takes milliseconds,
// and the serving thread does it for nobody before he has time left.
using AsyncService =
    v1::MemoryPool::WithRawMethod_Session<v1::MemoryPool::AsyncService>;

// What is pointed to outlives all calls.
struct Serving {
  AsyncService* service;
  ServingQueue* queue;
  Workers* workers;
  // One of its own for releases of many: leases that wait for memory to be given
  // back may occupy all the others.
  Workers* releaser;
  HolderRegistry* holders;
  Handlers* handlers;
  SessionHub* sessions;
  RpcStats* rpc_stats;
  UidAccounts* accounts;
  ServingShare* share;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SERVING_H_
