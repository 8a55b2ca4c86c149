// Bystander: a well-behaved client process, beside a hostile uid. Through the
// library it leases, stamps, checks and releases buffers again and again, and
// holds some over the whole run. It asserts for itself: whatever of its own is
// refused, lost or changed is a breach.
//
// Its lease cache is off, so that each lease is a call. What it does is drawn
// from a seed. Not thread-safe; main thread only.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_BYSTANDER_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_BYSTANDER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/torture/hostile/bystander_report.h"
#include "warmpool/warmpool.h"

namespace warmpool::torture {

class Bystander {
 public:
  // Reports go to `output`; it goes on until `input` is at its end.
  Bystander(std::string target, uint64_t seed, int input, int output);

  // The exit code of the process: 0, or 1 after a breach.
  int Run();

 private:
  // A sentence about what was broken, or OK.
  absl::Status Work();
  absl::Status Hold();
  absl::Status LeaseOnce();
  // Whether what it holds has the bytes that it had.
  absl::Status CheckHeld() const;
  // That, and that the leases are live. Releases them.
  absl::Status Finish();
  // Waits as long; true if it is to end.
  bool Told(absl::Duration wait) const;
  void Report(const BystanderReport& report) const;

  const std::string target_;
  const int input_;
  const int output_;
  std::mt19937_64 random_;
  std::optional<Client> client_;
  std::vector<Buffer> held_;
  absl::Time next_look_ = absl::InfinitePast();
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_BYSTANDER_H_
