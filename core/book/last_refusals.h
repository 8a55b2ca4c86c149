// LastRefusals: the last refused lease request of each uid, with the reason.
//
// Externally synchronised. Bounded: the uids with the oldest refusals are
// forgotten.
#ifndef WARMPOOL_CORE_BOOK_LAST_REFUSALS_H_
#define WARMPOOL_CORE_BOOK_LAST_REFUSALS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/lease/lease.h"

namespace warmpool {

// Why a request for a lease was refused.
struct Refusal {
  absl::Status status;
  // Time since the refusal.
  absl::Duration age;
  // The requesting process; without an id if it is not known.
  Holder holder;
  // Requested bytes; 0 if unknown.
  uint64_t bytes = 0;
};

class LastRefusals {
 public:
  // Number of uids that are remembered.
  static constexpr size_t kMostUids = 64;

  // Whether a refusal needs an operator's attention: the machine, a limit, the
  // system or the request itself did not allow the lease. All others are
  // ordinary answers: the buffer does not exist or is not sealed yet, the name
  // is taken, the daemon is draining.
  static bool IsNotable(const absl::Status& status);

  // Remembers a notable refusal that happened at `now`.
  void Note(const Refusal& refusal, absl::Time now);

  // The last refusal of the uid.
  std::optional<Refusal> Of(uid_t uid, absl::Time now) const;
  // The last refusal of each uid, newest first; at most `most`.
  std::vector<Refusal> Newest(size_t most, absl::Time now) const;

 private:
  struct Entry {
    Refusal refusal;
    absl::Time at;
  };

  static bool IsOf(const Entry& entry, uid_t uid);

  // Oldest first. All unknown processes count as one uid.
  std::vector<Entry> entries_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LAST_REFUSALS_H_
