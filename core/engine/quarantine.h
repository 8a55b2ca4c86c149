// Quarantine: segments whose lease ended while somebody still had them open or
// mapped. They wait here, are probed again with growing pauses, and go on only
// once the proof holds.
//
// Just after a process dies the kernel may still hold its files for a moment;
// a segment whose proof holds within kSettleTime is as good as one released in
// order and may be retained. Later ones are ended, and until then set aside:
// no process can open them by the name that they had under their lease.
//
// A leftover, which an earlier daemon had under a lease, can be taken out again
// by the client that says it has that lease, for a grace. It is set aside after
// that only.
//
// Whatever was here has a stale name (Segment).
//
// Uids are served in turn, and probes of one uid's segments are bounded in
// time: the more it has here, the longer are their pauses.
//
// What TakeDue gives out for a probe is quarantined until PutBack or OnLeft.
//
// Externally synchronised; it makes no system call itself.
// Invariants: no uid's list is empty, and what waits here adds up; the index of
// leftovers has those, and only those, that a client may take out.
#ifndef WARMPOOL_CORE_ENGINE_QUARANTINE_H_
#define WARMPOOL_CORE_ENGINE_QUARANTINE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "core/engine/checked_out.h"
#include "core/memory/segment.h"

namespace warmpool {

class Quarantine {
 public:
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(1);
  static constexpr absl::Duration kLongestPause = absl::Seconds(1);
  static constexpr absl::Duration kSettleTime = absl::Milliseconds(100);
  // For each segment of the same uid a pause is at least so much longer: so a
  // uid has 10,000 probes a second, of about 10 us each, at most.
  static constexpr absl::Duration kPausePerSegment = absl::Microseconds(100);

  struct Entry {
    Segment segment;
    // Until when the proof may still come to hold by itself.
    absl::Time settles_at;
    // When the segment is to be set aside; infinite once that is done.
    absl::Time set_aside_at;
    // Whether a client may take it out.
    bool leftover = false;
    // Until the probe after the next.
    absl::Duration pause = kFirstPause;

    bool Settling(absl::Time now) const { return now < settles_at; }
  };

  // Adds a segment whose lease ended at `now`, or nearly so. Returns when its
  // first probe is due, which may be later than that of others.
  absl::Time Add(Segment segment, absl::Time now);
  // Adds one that an earlier daemon left. One that is set aside had no lease
  // then, and can't be taken out. Returns the same.
  absl::Time AddLeftover(Segment segment, absl::Time now, absl::Duration grace);

  // Gives out those that are due for a probe, the first `most` of each uid. For
  // each PutBack or OnLeft must follow.
  std::vector<Entry> TakeDue(absl::Time now, size_t most = SIZE_MAX);

  // Makes all of them due.
  void MakeAllDue(absl::Time now);

  // Puts one back whose probe failed, with twice the pause.
  // REQUIRES: is_open().
  void PutBack(Entry entry, absl::Time now);
  // A segment of `bytes` bytes that TakeDue gave out counts elsewhere.
  void OnLeft(uint64_t bytes) { probing_.Remove(bytes); }

  // Takes out the leftover whose file has the name and is `owner`'s, unless it
  // was set aside; nullopt if there is none.
  std::optional<Entry> TakeLeftover(const std::string& file_name, uid_t owner);

  // Whether a leftover whose file has the name is out for a probe, so that
  // TakeLeftover may find it later.
  bool IsProbingLeftover(const std::string& file_name) const {
    return probing_leftovers_.contains(file_name);
  }
  // It will not come back under this name.
  void ForgetProbingLeftover(const std::string& file_name) {
    probing_leftovers_.erase(file_name);
  }

  // Takes out all that wait here.
  std::vector<Entry> TakeAll();
  // The same, and nothing may be added from here on.
  std::vector<Entry> Close();
  bool is_open() const { return is_open_; }

  // When the next probe is due; InfiniteFuture if nothing waits here.
  absl::Time NextProbe() const;

  // Of those that wait here.
  size_t size() const { return size_; }
  uint64_t bytes() const;
  // Of those that are out for a probe.
  const CheckedOut& probing() const { return probing_; }

  // Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const;

 private:
  using ByDueTime = std::multimap<absl::Time, Entry>;

  void Insert(Entry entry, absl::Time due);
  std::vector<Entry> Extract(absl::Time now, size_t most);

  // By the segments' owners; none is empty.
  std::map<uid_t, ByDueTime> by_uid_;
  size_t size_ = 0;
  // Those that a client may take out, by the names of their files.
  absl::flat_hash_map<std::string, ByDueTime::iterator> leftovers_;
  CheckedOut probing_;
  absl::flat_hash_set<std::string> probing_leftovers_;
  bool is_open_ = true;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_QUARANTINE_H_
