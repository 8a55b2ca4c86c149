#include "client/load/framed_message.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace warmpool {

bool WriteFramed(int fd, const google::protobuf::MessageLite& message) {
  const uint32_t length = static_cast<uint32_t>(message.ByteSizeLong());
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  message.AppendToString(&bytes);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = write(fd, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

void FrameParser::Append(absl::string_view bytes) {
  unread_.append(bytes.data(), bytes.size());
}

bool FrameParser::Next(google::protobuf::MessageLite* message) {
  uint32_t length;
  if (unread_.size() < sizeof(length)) return false;
  std::memcpy(&length, unread_.data(), sizeof(length));
  if (unread_.size() - sizeof(length) < length) return false;
  message->ParseFromArray(unread_.data() + sizeof(length),
                          static_cast<int>(length));
  unread_.erase(0, sizeof(length) + length);
  return true;
}

}  // namespace warmpool
