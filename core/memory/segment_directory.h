// SegmentDirectory: the shared-memory directory of one daemon and the segment
// files in it.
//
// The directory is the daemon's alone: mode 0700, locked while this object
// lives, so that two daemons can't share it. Segment files have random names
// ending in ".seg", mode 0600, and are wholly allocated (fallocate) before
// anybody learns their name.
#ifndef WARMPOOL_CORE_MEMORY_SEGMENT_DIRECTORY_H_
#define WARMPOOL_CORE_MEMORY_SEGMENT_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/random_id.h"
#include "core/memory/segment_source.h"
#include "core/memory/system_calls.h"

namespace warmpool {

// Thread-safe.
class SegmentDirectory final : public SegmentSource {
 public:
  // Opens `path`, creating its last component where it is missing, and locks
  // it. `calls` and `random` must outlive this.
  //
  // `tenant` describes this daemon to another that finds the lock taken.
  // Also sets SIGIO to be ignored in this process: the kernel sends it when
  // somebody opens a segment in the middle of a proof, and its default is
  // death.
  //
  // NOT_FOUND: the parent directory is missing. FAILED_PRECONDITION: somebody
  // else's directory, one that others can enter, or one that another daemon
  // has; the message says who.
  static absl::StatusOr<std::unique_ptr<SegmentDirectory>> Open(
      const std::string& path, absl::string_view tenant, SystemCalls* calls,
      RandomSource* random);

  // Unlocks. Removes the lock, and the directory if nothing else is in it.
  ~SegmentDirectory() override;

  absl::Status Make(SizeClass size_class, size_t bytes, uid_t owner,
                    Segment* segment) override;

  // By fcntl(F_SETLEASE, F_WRLCK), which the kernel grants only to the one
  // opener of a file that nobody else has open or mapped; then by link count,
  // size and allocated pages.
  Verdict Prove(const Segment& segment) override;

  absl::StatusOr<uint64_t> FreeBytes() override;

  // Absolute path of the segment's file, for its holder to open.
  std::string PathOf(const Segment& segment) const;

  // Segments whose files an earlier daemon left here. Files that are not
  // segments are named in `*unknown` and left alone.
  std::vector<Segment> FindLeftovers(const SizeClasses& size_classes,
                                     std::vector<std::string>* unknown);

  const std::string& path() const { return path_; }
  // Bytes that the directory's own files take.
  uint64_t overhead_bytes() const { return overhead_bytes_; }

 private:
  SegmentDirectory(std::string path, int directory_fd, int lock_fd,
                   SystemCalls* calls, RandomSource* random);

  const std::string path_;
  const int directory_fd_;
  const int lock_fd_;
  const uint64_t overhead_bytes_ = kPageSize;
  SystemCalls& calls_;
  RandomSource& random_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_SEGMENT_DIRECTORY_H_
