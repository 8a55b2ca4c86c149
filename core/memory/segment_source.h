// SegmentSource: where segments come from, and who can say whether one may be
// reused. Two kinds: SegmentDirectory (shared-memory files, the daemon's) and
// AnonymousSource (private memory of this process).
#ifndef WARMPOOL_CORE_MEMORY_SEGMENT_SOURCE_H_
#define WARMPOOL_CORE_MEMORY_SEGMENT_SOURCE_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/memory/segment.h"

namespace warmpool {

// The outcome of a proof.
enum class Verdict {
  // Nobody else has the segment open or mapped, all its pages are there, and no
  // others.
  kFree,
  // Somebody has it, or it can't be proven that nobody has.
  kInUse,
  // Nobody has it, but its size, pages or links were changed: end it.
  kUnfit,
};

// What a segment is made for.
enum class Purpose {
  // Somebody waits for it: it is made as fast as the machine can.
  kLease,
  // Nobody does: it takes no more than one processor.
  kStock,
};

// Implementations are thread-safe.
class SegmentSource {
 public:
  virtual ~SegmentSource() = default;

  // Makes a segment. A shared one has all its pages when it is made: writing to
  // it can't raise SIGBUS. RESOURCE_EXHAUSTED, telling the bytes free: no room
  // for it, in the filesystem or within what this process may have.
  // On error `*segment` holds the parts made so far, to be ended through
  // UnmapBatch. May take long: call it under no lock.
  virtual absl::Status Make(SizeClass size_class, size_t bytes, uid_t owner,
                            Purpose purpose, Segment* segment) = 0;

  // Makes sure that the pages of a part of a segment that nobody was given yet
  // are cleared, and not only reserved: their next user then clears none, and a
  // hypervisor that takes back what nobody uses has given them already. Has
  // nothing to do where they are cleared as they are made. `offset` and `bytes`
  // lie within the segment. May take long: call it under no lock.
  virtual absl::Status Populate(const Segment& segment, uint64_t offset,
                                uint64_t bytes) = 0;

  // Asks the kernel whether the segment may go to a new holder.
  virtual Verdict Prove(const Segment& segment) = 0;

  // Makes a segment that was sealed, and has just been proven free, like any
  // other again, and proves it once more. Does nothing with one that is not
  // sealed: kFree.
  virtual Verdict Unseal(Segment* segment) = 0;

  // Gives the segment's file a name that nobody was told, if somebody may have
  // the one that it has (Segment::name_is_stale). Whoever opened it before is
  // found by the next proof. NOT_FOUND: the file no longer has the name that it
  // was given. After an error it has the name that it had, and may not be
  // leased again.
  virtual absl::Status Rename(Segment* segment) = 0;

  // Moves the segment's file to where nobody but the daemon can open it; who
  // has it keeps it. NOT_FOUND: the file no longer has the name that it was
  // given. After an error the segment is where it was. Does nothing for memory
  // that others can't reach, or that was set aside before.
  virtual absl::Status SetAside(Segment* segment) = 0;

  // Bytes that could still be made, whoever uses the rest.
  virtual absl::StatusOr<uint64_t> FreeBytes() = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_SEGMENT_SOURCE_H_
