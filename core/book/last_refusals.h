// LastRefusals: why a request for a lease was refused last, for each uid.
//
// Externally synchronised. Bounded: the uids whose last refusal is oldest are
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
  // Since then.
  absl::Duration age;
  // Whose request it was; without an id if the process is not known.
  Holder holder;
  // Bytes asked for; 0 if unknown.
  uint64_t bytes = 0;
};

class LastRefusals {
 public:
  // Uids that are remembered.
  static constexpr size_t kMostUids = 64;

  // Whether somebody must do something about it: the machine, a limit, the
  // system or the request itself did not allow the lease. Others are ordinary
  // answers: a buffer that is not there or not sealed so far, a name that is
  // taken, a daemon that drains.
  static bool IsNotable(const absl::Status& status);

  // Remembers a refusal that is notable; `now` is its moment.
  void Note(const Refusal& refusal, absl::Time now);

  // The last of a uid's processes.
  std::optional<Refusal> Of(uid_t uid, absl::Time now) const;
  // The last one of each uid, the newest first; `most` of them.
  std::vector<Refusal> Newest(size_t most, absl::Time now) const;

 private:
  struct Entry {
    Refusal refusal;
    absl::Time at;
  };

  static bool IsOf(const Entry& entry, uid_t uid);

  // The oldest first. Those whose process is not known count as one uid's.
  std::vector<Entry> entries_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LAST_REFUSALS_H_
