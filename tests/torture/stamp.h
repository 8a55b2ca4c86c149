// Stamps: what a client writes on every page of its buffer, so that whoever
// sees the page can tell whose it is.
#ifndef WARMPOOL_TESTS_TORTURE_STAMP_H_
#define WARMPOOL_TESTS_TORTURE_STAMP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/random_id.h"

namespace warmpool::torture {

// Buffers are stamped in steps of the smallest page, whatever theirs are.
inline constexpr size_t kStampedPage = 4096;

// As it lies at the start of a page.
struct Stamp {
  RandomId lease = {};
  uint64_t generation = 0;
  // The page's number within its buffer.
  uint64_t page = 0;

  friend bool operator==(const Stamp&, const Stamp&) = default;
  std::string ToString() const;
};

struct WrongPage {
  Stamp expected;
  Stamp found;
};

// A last page with no room for a stamp stays without one.
void StampPages(std::span<std::byte> buffer, const RandomId& lease,
                uint64_t generation);

// The first page without the stamp that StampPages gives it. Makes no system
// call and takes no lock, so that a forked child may call it.
std::optional<WrongPage> FindWrongPage(std::span<const std::byte> buffer,
                                       const RandomId& lease,
                                       uint64_t generation);

// The leases whose stamps are in a buffer, each once.
std::vector<RandomId> StampedLeases(std::span<const std::byte> buffer);

bool IsZero(std::span<const std::byte> buffer);

// Pages that StampPages stamps.
size_t StampedPages(std::span<const std::byte> buffer);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_STAMP_H_
