// BystanderReport: what a bystander tells the driver, one line each. Its times
// are the machine's monotonic clock's, which all processes share.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_BYSTANDER_REPORT_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_BYSTANDER_REPORT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace warmpool::torture {

// Bytes of the leases that bystanders ask for again and again.
inline constexpr std::array<uint64_t, 3> kBystanderSizes = {64 << 10, 1 << 20,
                                                            4 << 20};

struct BystanderReport {
  enum class Kind {
    // It holds what it is to hold over the whole run.
    kReady,
    // A lease was granted, with pages that were warm, or that were not.
    kWarm,
    kCold,
    // All that it held was live, with its bytes, to the end.
    kDone,
    // A promise is broken.
    kBreach,
  };
  Kind kind = Kind::kReady;
  // Of a grant: which of kBystanderSizes, when it was asked for, when it came.
  size_t size = 0;
  absl::Time begin = {};
  absl::Time end = {};
  // Of a breach: a sentence.
  std::string text = {};

  std::string ToLine() const;
  // nullopt: it is none.
  static std::optional<BystanderReport> FromLine(absl::string_view line);
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_BYSTANDER_REPORT_H_
