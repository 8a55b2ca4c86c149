// ClientEvents, to and from the bytes of a pipe: each is preceded by its length
// in 4 bytes. Both ends are the same program on the same machine.
#ifndef WARMPOOL_CLIENT_LOAD_CLIENT_EVENT_H_
#define WARMPOOL_CLIENT_LOAD_CLIENT_EVENT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "client/load/client_event.pb.h"
#include "client/load/measurement.h"

namespace warmpool {

load::MeasurementParts ToParts(const Measurement& measurement);
Measurement FromParts(const load::MeasurementParts& parts);

// Writes all of it, however long the reader takes. False: nobody reads.
bool WriteEvent(int fd, const load::ClientEvent& event);

// Puts events together from what was read so far. Not thread-safe.
class EventParser {
 public:
  void Append(absl::string_view bytes);
  // nullopt: more bytes are needed.
  std::optional<load::ClientEvent> Next();

 private:
  std::string unread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_CLIENT_EVENT_H_
