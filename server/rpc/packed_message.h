// Messages as gRPC has them: packed. The daemon unpacks requests itself,
// because gRPC would do so on the serving thread, whatever the length and
// whoever asks: 64 KiB of empty references take 15 ms.
#ifndef WARMPOOL_SERVER_RPC_PACKED_MESSAGE_H_
#define WARMPOOL_SERVER_RPC_PACKED_MESSAGE_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace warmpool {

// The longest request that the serving thread unpacks, which takes half a
// millisecond at worst. Clients need a few hundred bytes; longer are only lists
// of many leases.
inline constexpr size_t kMaxQuickBytes = 2 << 10;

template <typename Message>
grpc::ByteBuffer Pack(const Message& message) {
  grpc::ByteBuffer packed;
  bool is_own = false;
  // Fails for messages of gigabytes only.
  (void)grpc::SerializationTraits<Message>::Serialize(message, &packed,
                                                      &is_own);
  return packed;
}

// INVALID_ARGUMENT: it is no such message.
template <typename Message>
absl::Status Unpack(grpc::ByteBuffer* packed, Message* message) {
  if (grpc::SerializationTraits<Message>::Deserialize(packed, message).ok()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the request is no ", Message::descriptor()->full_name()));
}

// For requests that are never long. INVALID_ARGUMENT: this one is.
template <typename Message>
absl::Status UnpackShort(grpc::ByteBuffer* packed, Message* message) {
  const size_t bytes = packed->Length();
  if (bytes <= kMaxQuickBytes) return Unpack(packed, message);
  packed->Clear();
  return absl::InvalidArgumentError(
      absl::StrCat("the ", Message::descriptor()->full_name(), " has ", bytes,
                   " bytes, more than ", kMaxQuickBytes));
}

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_PACKED_MESSAGE_H_
