// Quarantine: segments whose lease ended while somebody still had them open or
// mapped. They wait here, are probed again with growing pauses, and go on only
// once the proof holds.
//
// Just after a process dies the kernel may still hold its files for a moment;
// a segment whose proof holds within kSettleTime is as good as one released in
// order and may be retained. Later ones are ended.
//
// Externally synchronised; it makes no system call itself.
#ifndef WARMPOOL_CORE_POOL_QUARANTINE_H_
#define WARMPOOL_CORE_POOL_QUARANTINE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/memory/segment.h"

namespace warmpool {

class Quarantine {
 public:
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(1);
  static constexpr absl::Duration kLongestPause = absl::Seconds(1);
  static constexpr absl::Duration kSettleTime = absl::Milliseconds(100);

  struct Entry {
    Segment segment;
    absl::Time since;
    // Until the probe after the next.
    absl::Duration pause = kFirstPause;

    bool Settling(absl::Time now) const { return now < since + kSettleTime; }
  };

  // Sets a segment aside at `now`. `settling`: see above; segments that an
  // earlier daemon left are not.
  void Add(Segment segment, absl::Time now, bool settling);

  // Takes out those that are due for a probe.
  std::vector<Entry> TakeDue(absl::Time now);

  // Puts one back whose probe failed, with twice the pause.
  void PutBack(Entry entry, absl::Time now);

  // Takes out all.
  std::vector<Entry> TakeAll();

  // When the next probe is due; InfiniteFuture if nothing is here.
  absl::Time NextProbe() const;

  size_t size() const { return by_due_time_.size(); }
  uint64_t bytes() const;

 private:
  std::multimap<absl::Time, Entry> by_due_time_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_QUARANTINE_H_
