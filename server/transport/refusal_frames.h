// What a connection is told that is not served: two HTTP/2 frames (RFC 9113),
// SETTINGS, with which a server begins, and GOAWAY with the reason as its text.
// gRPC's clients put the text into the error of their calls.
//
// A pure function.
#ifndef WARMPOOL_SERVER_TRANSPORT_REFUSAL_FRAMES_H_
#define WARMPOOL_SERVER_TRANSPORT_REFUSAL_FRAMES_H_

#include <string>

#include "absl/status/status.h"

namespace warmpool {

// At most some 600 bytes, which a new socket takes at once. `refusal` is not
// OK.
std::string RefusalFrames(const absl::Status& refusal);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_REFUSAL_FRAMES_H_
