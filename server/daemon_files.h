// DaemonFiles: what a daemon has in its directory: the segments' directory, the
// journal, and what an earlier daemon left. It takes up the leases of that
// daemon: the journal says what was granted, the kernel says which holders
// still live, the directory says which segments are there. A lease goes on
// where all three agree.
//
// Not thread-safe: for a start and an end. Until TakeOver nothing is changed
// that an earlier daemon left.
#ifndef WARMPOOL_SERVER_DAEMON_FILES_H_
#define WARMPOOL_SERVER_DAEMON_FILES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/random_id.h"
#include "core/journal/journal.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"
#include "core/pool/pool.h"
#include "server/clients/holder_registry.h"

namespace warmpool {

class DaemonFiles {
 public:
  // What is pointed to must outlive this.
  struct Deps {
    // For segments, and for the journal.
    SystemCalls* calls;
    SystemCalls* journal_calls;
    RandomSource* random;
  };

  // Locks the directory and reads the journal. `purpose`: what the lock's file
  // says of this daemon. Errors name the path.
  static absl::StatusOr<std::unique_ptr<DaemonFiles>> Open(
      const std::string& shm_dir, const std::string& purpose,
      SegmentDirectory::Options options, const Deps& deps);
  // Detaches the segments that no pool took.
  ~DaemonFiles();

  SegmentDirectory& directory() { return *directory_; }
  Journal& journal() { return *journal_; }

  // Looks for what an earlier daemon left.
  absl::Status FindLeftovers(size_t max_segment_bytes);
  // What the directory holds, leftovers included.
  uint64_t held_bytes() const;

  // As the last thing of a start that can fail, before the first connection is
  // served: begins the journal, and gives the pool what was left. It fails as a
  // whole, before it changes anything, or not at all. Logs what was found,
  // damage to the journal loudly. A holder that can't be seen for want of a
  // descriptor is taken to live.
  absl::Status TakeOver(HolderRegistry* holders, Pool* pool);
  // The pool has what the journal says.
  bool taken_over() const { return taken_over_; }

 private:
  explicit DaemonFiles(SystemCalls* calls) : calls_(*calls) {}

  // Tells where the journal is.
  absl::Status InPrivate(const absl::Status& status) const;
  void LogFound() const;

  SystemCalls& calls_;
  std::unique_ptr<SegmentDirectory> directory_;
  Journal::Replay replay_;
  std::unique_ptr<Journal> journal_;
  // Those that an earlier daemon left, until the pool has them.
  std::vector<Segment> leftovers_;
  // What else is in the directory.
  std::vector<std::string> unknown_;
  bool taken_over_ = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_DAEMON_FILES_H_
