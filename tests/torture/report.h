// Reports: what a client process tells the driver, a line each. A client says
// what it is about to do before it does it, so that the driver can never hear
// of a consequence without finding its cause in some pipe already.
#ifndef WARMPOOL_TESTS_TORTURE_REPORT_H_
#define WARMPOOL_TESTS_TORTURE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/random_id.h"

namespace warmpool::torture {

struct Report {
  enum class Kind {
    // About to ask for a lease or to attach: request, lease (attach: the
    // buffer's stamper), bytes, ttl, renewed, text (the name asked for).
    kAsking,
    // The answer: request, lease, generation, bytes, inode, ttl, text (path).
    kGranted,
    // The answer: request, code, text.
    kRefused,
    // No answer, so the lease may exist: request, code, text.
    kUnsure,
    // A buffer just granted has pages that `lease` stamped.
    kFound,
    // Every page has its stamp: lease, text (the name by which others may
    // attach
    // for writing; none: they may not).
    kStamped,
    // About to unmap and release: lease.
    kReleasing,
    kReleased,
    // No answer, so the lease may be left: lease, code, text.
    kUnreleased,
    // Renewed: lease.
    kRenewed,
    // The daemon says that there is no such lease: lease, code, text.
    kLost,
    // Every page had its stamp: lease, bytes.
    kChecked,
    // A forked child has the buffer mapped, and is about to let it go: lease.
    kForkHolds,
    kForkDone,
    // Something that must not be: text.
    kBreach,
    // Does nothing until told to resume: request (the pause's number).
    kPaused,
    // About to fork: lease. The child has every buffer of its parent mapped.
    kForking,
    // Going to seal: lease, text (the buffer's name).
    kPromised,
    // About to seal: request, lease, ttl (the linger). The answer is kSealed,
    // kRefused or kUnsure.
    kSealing,
    // Sealed: request, lease, text (the buffer's name).
    kSealed,
    // About to attach for reading, waiting for the seal or not: as kAsking.
    kReading,
    // About to unmap, and to make a ticket: request, lease, ttl (the ticket's).
    // The answer is kTicketed, kRefused or kUnsure.
    kTicketing,
    // A ticket: request, lease, generation, text (the ticket, in hexadecimal).
    kTicketed,
    // About to claim: request, lease (the giver's, whose stamps the buffer
    // has), ttl, renewed. The answer is that to kAsking.
    kClaiming,
  };

  Kind kind = Kind::kBreach;
  // Of the monotonic clock.
  absl::Time time = {};
  // Numbered by each client.
  uint64_t request = 0;
  RandomId lease = {};
  uint64_t generation = 0;
  uint64_t bytes = 0;
  // Of the segment's file.
  uint64_t inode = 0;
  // Zero: as long as the client lives.
  absl::Duration ttl = {};
  // By the library, as long as the client runs.
  bool renewed = false;
  absl::StatusCode code = absl::StatusCode::kOk;
  // The last field: may have blanks, not newlines.
  std::string text = {};

  // Without the newline.
  std::string ToLine() const;
  static std::optional<Report> FromLine(absl::string_view line);
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_REPORT_H_
