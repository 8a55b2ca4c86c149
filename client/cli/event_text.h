// What becomes of buffers, as `warmpool events` prints it.
#ifndef WARMPOOL_CLIENT_CLI_EVENT_TEXT_H_
#define WARMPOOL_CLIENT_CLI_EVENT_TEXT_H_

#include <string>

#include "absl/time/time.h"
#include "client/cli/output.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

cli::BufferEvent MakeEvent(const v1::BufferEvent& event, absl::Time time);

// A line with its newline, the time of day as in `zone`.
std::string EventLine(const v1::BufferEvent& event, absl::Time time,
                      absl::TimeZone zone);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_EVENT_TEXT_H_
