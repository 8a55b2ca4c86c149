// RandomId: 128 random bits, the form of lease ids, request ids and segment
// file names. RandomSource gives them, and can be replaced in tests.
#ifndef WARMPOOL_CORE_BASE_RANDOM_ID_H_
#define WARMPOOL_CORE_BASE_RANDOM_ID_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "core/base/mutex.h"

namespace warmpool {

struct RandomId {
  static constexpr size_t kBytes = 16;

  uint64_t high = 0;
  uint64_t low = 0;

  // From exactly kBytes bytes; nullopt for any other length.
  static std::optional<RandomId> FromBytes(absl::string_view bytes);
  std::string ToBytes() const;

  // 32 lower-case hexadecimal digits; nullopt for anything else.
  static std::optional<RandomId> FromHex(absl::string_view hex);
  std::string ToHex() const;

  friend bool operator==(const RandomId&, const RandomId&) = default;
  friend auto operator<=>(const RandomId&, const RandomId&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const RandomId& id) {
    return H::combine(std::move(h), id.high, id.low);
  }
};

// Implementations are thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual RandomId Next() = 0;
};

// The kernel's generator: ids that cannot be guessed.
class KernelRandom final : public RandomSource {
 public:
  // Never destroyed.
  static KernelRandom& Get();
  RandomId Next() override;
};

// The same, asked for kBatch at a time: a third of a microsecond less for each.
// REQUIRES: not used in a child that the process forked, where the ids that are
// left would come again.
class BatchedRandom final : public RandomSource {
 public:
  // 256 bytes, which getrandom(2) never cuts short.
  static constexpr size_t kBatch = 16;

  RandomId Next() override;

 private:
  Mutex mutex_;
  std::array<RandomId, kBatch> ids_ ABSL_GUARDED_BY(mutex_);
  size_t left_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_RANDOM_ID_H_
