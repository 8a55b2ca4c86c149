#include "tests/torture/stamp.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace warmpool::torture {
namespace {

Stamp StampAt(std::span<const std::byte> buffer, size_t page) {
  Stamp stamp;
  std::memcpy(&stamp, buffer.data() + page * kStampedPage, sizeof(stamp));
  return stamp;
}

}  // namespace

std::string Stamp::ToString() const {
  if (*this == Stamp()) return "zeros";
  return absl::StrCat("lease ", lease.ToHex(), " generation ", generation,
                      " page ", page);
}

size_t StampedPages(std::span<const std::byte> buffer) {
  const size_t whole = buffer.size() / kStampedPage;
  return whole + (buffer.size() % kStampedPage >= sizeof(Stamp) ? 1 : 0);
}

void StampPages(std::span<std::byte> buffer, const RandomId& lease,
                uint64_t generation) {
  Stamp stamp{.lease = lease, .generation = generation};
  for (; stamp.page < StampedPages(buffer); ++stamp.page) {
    std::memcpy(buffer.data() + stamp.page * kStampedPage, &stamp,
                sizeof(stamp));
  }
}

std::optional<WrongPage> FindWrongPage(std::span<const std::byte> buffer,
                                       const RandomId& lease,
                                       uint64_t generation) {
  Stamp expected{.lease = lease, .generation = generation};
  for (; expected.page < StampedPages(buffer); ++expected.page) {
    const Stamp found = StampAt(buffer, expected.page);
    if (found != expected) return WrongPage{expected, found};
  }
  return std::nullopt;
}

std::vector<RandomId> StampedLeases(std::span<const std::byte> buffer) {
  std::vector<RandomId> leases;
  for (size_t page = 0; page < StampedPages(buffer); ++page) {
    const Stamp stamp = StampAt(buffer, page);
    if (stamp.page != page || stamp.lease == RandomId()) continue;
    if (std::find(leases.begin(), leases.end(), stamp.lease) == leases.end()) {
      leases.push_back(stamp.lease);
    }
  }
  return leases;
}

bool IsZero(std::span<const std::byte> buffer) {
  // Each byte equals its neighbour, and the first is zero.
  return buffer.empty() || (buffer[0] == std::byte{0} &&
                            std::memcmp(buffer.data(), buffer.data() + 1,
                                        buffer.size() - 1) == 0);
}

}  // namespace warmpool::torture
