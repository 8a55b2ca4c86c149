// What a request of a Session is answered: the same as the unary calls', each
// status within the reply.
#ifndef WARMPOOL_SERVER_RPC_SESSION_SESSION_ANSWERS_H_
#define WARMPOOL_SERVER_RPC_SESSION_SESSION_ANSWERS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "core/lease/lease.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/rpc/handlers.h"
#include "server/stats/rpc_stats.h"

namespace warmpool {

// Of one LeaseMany.
inline constexpr int kMaxLeasesTogether = 64;

// Which RPC the request is one of; nullopt for none that is known.
std::optional<Rpc> RpcOf(const v1::SessionRequest& request);

// Does what is quick of `request`, which is none to attach; false: AnswerInFull
// has to be called, with the same progress, as the rest may take long.
bool AnswerAtOnce(Handlers& handlers, HolderId holder,
                  const v1::SessionRequest& request, RequestProgress* progress,
                  v1::SessionReply* reply);

// The answer to a request that is not carried out.
void Refuse(const v1::SessionRequest& request, const absl::Status& status,
            v1::SessionReply* reply);

// What became of a request to attach.
void AnswerAttach(uint64_t tag, const absl::Status& status,
                  v1::AttachResponse* response, v1::SessionReply* reply);

// Does the rest. False: it waits, and `waiter` is woken; then it is to be
// called again, with the same reply.
bool AnswerInFull(Handlers& handlers, HolderId holder,
                  const v1::SessionRequest& request, const Waiter& waiter,
                  v1::SessionReply* reply);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_SESSION_SESSION_ANSWERS_H_
