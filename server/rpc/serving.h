// Serving: what every call needs of the daemon.
#ifndef WARMPOOL_SERVER_RPC_SERVING_H_
#define WARMPOOL_SERVER_RPC_SERVING_H_

#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "server/clients/holder_registry.h"
#include "server/clients/session_hub.h"
#include "server/clients/uid_accounts.h"
#include "server/rpc/async_call.h"
#include "server/rpc/handlers.h"
#include "server/scheduling/serving_queue.h"
#include "server/scheduling/workers.h"
#include "server/stats/rpc_stats.h"

namespace warmpool {

namespace internal {
template <typename Base>
using WithRawLeases = v1::MemoryPool::WithRawMethod_Lease<
    v1::MemoryPool::WithRawMethod_Release<v1::MemoryPool::WithRawMethod_Renew<
        v1::MemoryPool::WithRawMethod_Assert<Base>>>>;
template <typename Base>
using WithRawHandover =
    v1::MemoryPool::WithRawMethod_Seal<v1::MemoryPool::WithRawMethod_Attach<
        v1::MemoryPool::WithRawMethod_MakeTicket<
            v1::MemoryPool::WithRawMethod_Claim<Base>>>>;
template <typename Base>
using WithRawInspection = v1::MemoryPool::WithRawMethod_GetStats<
    v1::MemoryPool::WithRawMethod_ListBuffers<
        v1::MemoryPool::WithRawMethod_ListHolders<Base>>>;
template <typename Base>
using WithRawCommands =
    v1::MemoryPool::WithRawMethod_Trim<v1::MemoryPool::WithRawMethod_Shutdown<
        v1::MemoryPool::WithRawMethod_SetLogLevel<Base>>>;
template <typename Base>
using WithRawStreams = v1::MemoryPool::WithRawMethod_Session<
    v1::MemoryPool::WithRawMethod_WatchStats<
        v1::MemoryPool::WithRawMethod_WatchBuffers<Base>>>;
}  // namespace internal

// All messages come and go packed (server/rpc/packed_message.h).
using AsyncService = internal::WithRawLeases<internal::WithRawHandover<
    internal::WithRawInspection<internal::WithRawCommands<
        internal::WithRawStreams<v1::MemoryPool::Service>>>>>;

// What is pointed to outlives all calls.
struct Serving {
  AsyncService* service;
  ServingQueue* queue;
  Workers* workers;
  // One of its own for releases of many: leases that wait for memory to be
  // given back may occupy all the others.
  Workers* releaser;
  HolderRegistry* holders;
  Handlers* handlers;
  SessionHub* sessions;
  RpcStats* rpc_stats;
  UidAccounts* accounts;

  AsyncCall::Deps call_deps() const {
    return {.queue = queue, .holders = holders, .accounts = accounts};
  }
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_SERVING_H_
