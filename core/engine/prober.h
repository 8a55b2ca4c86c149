// Prober: proves quarantined segments again when they are due, and hands
// leftovers of an earlier daemon to the clients that have a lease on them.
//
// Thread-safe. It makes no system call under the book's lock.
#ifndef WARMPOOL_CORE_ENGINE_PROBER_H_
#define WARMPOOL_CORE_ENGINE_PROBER_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/engine/engine_book.h"
#include "core/engine/quarantine.h"
#include "core/engine/sorter.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/segment.h"
#include "core/memory/segment_source.h"

namespace warmpool {

class Prober {
 public:
  // All must outlive this. `batch` may be constructed later.
  Prober(EngineBook* book, SegmentSource* source, const Clock* clock,
         UnmapBatch* batch, Sorter* sorter, absl::Duration leftover_grace);

  // See SegmentPool.
  void Adopt(Segment segment);
  std::optional<Segment> TakeLeftover(const std::string& file_name,
                                      uid_t owner);
  // False: quarantine is closed, and the segment is the caller's still.
  bool PutBackLeftover(Segment* segment);

  // Proves segments that are due, some of each uid's; those that are left are
  // due still.
  void ProbeDue(absl::Time now);
  // Proves all of them.
  void ProbeAll(absl::Time now);

  // Frees everything in quarantine though it may be in use, and closes it.
  void FreeAll();
  // Leaves what is in quarantine to the next daemon.
  void DetachAll();

 private:
  // Probes some of each uid's, if any are due. False: none.
  bool ProbeSome(absl::Time now);
  void ProbeEntry(Quarantine::Entry entry, absl::Time now);
  void SetAside(Quarantine::Entry* entry);

  EngineBook& book_;
  SegmentSource& source_;
  const Clock& clock_;
  UnmapBatch& batch_;
  Sorter& sorter_;
  const absl::Duration leftover_grace_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_PROBER_H_
