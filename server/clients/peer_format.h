// The form in which gRPC names the peer of a connection that it was given by
// descriptor, which is what leads from a call to its holder. It is not in
// gRPC's documentation, so it is checked before any client is served.
#ifndef WARMPOOL_SERVER_CLIENTS_PEER_FORMAT_H_
#define WARMPOOL_SERVER_CLIENTS_PEER_FORMAT_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// The descriptor in "fd:N"; nullopt: another form.
std::optional<int> DescriptorIn(absl::string_view peer);

// Calls a gRPC server of its own over a socket pair and looks at what the
// server calls its peer; takes a few milliseconds. FAILED_PRECONDITION, with
// what it was: something else than "fd:N" of the descriptor given.
absl::Status CheckPeerFormat();

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_PEER_FORMAT_H_
