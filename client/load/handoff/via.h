// Via: the ways by which a producer hands its bytes to a consumer.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_VIA_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_VIA_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace warmpool {

enum class Via {
  // A buffer of the pool, sealed; the consumer waits for its name.
  kWarmpool,
  // A buffer of the pool, claimed with a ticket that a message brings.
  kWarmpoolTicket,
  // A buffer of a channel, mapped at both ends; a message brings its token.
  kWarmpoolChannel,
  // The bytes in one message of gRPC.
  kGrpcUnary,
  // The bytes in a stream of messages of 1 MiB.
  kGrpcStream,
};

// "warmpool", "warmpool_ticket", "warmpool_channel", "grpc_unary" or
// "grpc_stream".
std::string ViaName(Via via);
// Whether a daemon is needed.
bool UsesPool(Via via);

// What a run compares, each once, in the order of Via.
struct Vias {
  std::vector<Via> list;
};

Vias AllVias();

// Names between commas, or "all"; found by absl's flags through the namespace.
bool AbslParseFlag(absl::string_view text, Vias* vias, std::string* error);
std::string AbslUnparseFlag(const Vias& vias);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_VIA_H_
