#include "server/transport/refusal_frames.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace warmpool {
namespace {

// RFC 9113, 6.5 and 6.8, and 7 for the errors.
constexpr char kSettings = 4;
constexpr char kGoAway = 7;
constexpr uint32_t kEnhanceYourCalm = 0xb;
constexpr uint32_t kInadequateSecurity = 0xc;
constexpr size_t kMostTextBytes = 512;

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift));
  }
  return bytes;
}

// Of the connection, which is stream 0.
std::string Frame(char type, absl::string_view payload) {
  return absl::StrCat(
      BigEndian(static_cast<uint32_t>(payload.size())).substr(1),
      std::string(1, type), std::string(1, '\0'), BigEndian(0), payload);
}

}  // namespace

std::string RefusalFrames(const absl::Status& refusal) {
  const uint32_t error = absl::IsPermissionDenied(refusal) ? kInadequateSecurity
                                                           : kEnhanceYourCalm;
  return absl::StrCat(
      Frame(kSettings, ""),
      Frame(kGoAway,
            absl::StrCat(BigEndian(0), BigEndian(error),
                         refusal.message().substr(0, kMostTextBytes))));
}

}  // namespace warmpool
