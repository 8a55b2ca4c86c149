// Messages, to and from the bytes of a pipe: each is preceded by its length in
// 4 bytes. Both ends are the same program on the same machine.
#ifndef WARMPOOL_CLIENT_LOAD_FRAMED_MESSAGE_H_
#define WARMPOOL_CLIENT_LOAD_FRAMED_MESSAGE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"

namespace warmpool {

// Writes all of it, however long the reader takes. False: nobody reads.
bool WriteFramed(int fd, const google::protobuf::MessageLite& message);

// Puts messages together from what was read so far. Not thread-safe.
class FrameParser {
 public:
  void Append(absl::string_view bytes);
  // False: more bytes are needed, and `message` is as it was.
  bool Next(google::protobuf::MessageLite* message);

 private:
  std::string unread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_FRAMED_MESSAGE_H_
