// LeaseRecord: what the journal keeps of a lease, which is all that a later
// daemon needs to take it up again. LeaseRecords: the live ones.
#ifndef WARMPOOL_CORE_LEASE_LEASE_RECORD_H_
#define WARMPOOL_CORE_LEASE_LEASE_RECORD_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/engine/warmth.h"
#include "core/lease/lease.h"

namespace warmpool {

struct LeaseRecord {
  // Longer strings are refused, so that a record's length is bounded.
  static constexpr size_t kMaxCommandBytes = 64;
  static constexpr size_t kMaxFileNameBytes = 64;
  static constexpr size_t kMaxBufferNameBytes = 128;

  LeaseId id;
  RequestId request_id;
  ClientId client_id;
  pid_t holder_pid = 0;
  uid_t holder_uid = 0;
  uint64_t holder_instance = 0;
  std::string holder_command;
  // Name of the segment's file in its directory.
  std::string file_name;
  std::string buffer_name;
  // The uid that the segment belongs to.
  uid_t owner = 0;
  // Bytes asked for, of the segment, and of one of its pages.
  uint64_t bytes = 0;
  uint64_t segment_bytes = 0;
  size_t page_bytes = 0;
  uint64_t generation = 0;
  LeaseKind kind = LeaseKind::kHeld;
  Access access = Access::kSharedWritable;
  Warmth warmth = Warmth::kFresh;
  bool zeroed = false;
  // The buffer is sealed.
  bool sealed = false;
  // For how long the buffer is kept after the end of this lease, that of who
  // sealed it. Kept in nanoseconds.
  absl::Duration linger;
  // Whom a sealed buffer is shared with.
  Sharing share_with;
  // Zero: as long as the holder lives. Kept in nanoseconds.
  absl::Duration ttl;
  // By the monotonic clock, so good within one boot. Kept in nanoseconds.
  absl::Time granted_at;

  friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

// INVALID_ARGUMENT, naming the value: a string that is too long, a file name
// that leads elsewhere, a value that its type does not have, a negative time.
absl::Status ValidateLeaseRecord(const LeaseRecord& record);

// The leases that are live, in order of grant. About 500 bytes each. One walk
// over them can be under way while they change.
// Externally synchronised.
class LeaseRecords {
 public:
  using const_iterator = std::list<LeaseRecord>::const_iterator;

  LeaseRecords() = default;
  // The index holds iterators, which only a move leaves valid.
  LeaseRecords(const LeaseRecords&) = delete;
  LeaseRecords& operator=(const LeaseRecords&) = delete;
  LeaseRecords(LeaseRecords&&) = default;
  LeaseRecords& operator=(LeaseRecords&&) = default;

  // False, and nothing is added, if a lease of that id is live.
  bool Insert(LeaseRecord record);
  // Null if it is not live. Good until that lease is erased.
  LeaseRecord* Find(const LeaseId& id);
  // False if it was not live.
  bool Erase(const LeaseId& id);

  // Begins a walk over all of them, in order; one under way ends.
  void StartWalk();
  // The next one, which has been passed from then on. Null where all have been;
  // what is inserted afterwards is walked over, too.
  const LeaseRecord* Walk();
  bool walked() const { return next_ == nullptr; }
  // Whether the walk has passed the lease, which must be live.
  bool Passed(const LeaseId& id) const { return index_.at(id).walk == walk_; }

  size_t size() const { return index_.size(); }
  const_iterator begin() const { return in_order_.begin(); }
  const_iterator end() const { return in_order_.end(); }

 private:
  struct Place {
    std::list<LeaseRecord>::iterator record;
    // The last walk that passed it.
    uint64_t walk = 0;
  };

  // The record behind it; null if there is none.
  const LeaseRecord* After(const Place& place) const;

  std::list<LeaseRecord> in_order_;
  absl::flat_hash_map<LeaseId, Place> index_;
  // Number of the last walk, counted from 1.
  uint64_t walk_ = 1;
  // Where it goes on. A pointer, since an end iterator is good for one list.
  const LeaseRecord* next_ = nullptr;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_LEASE_LEASE_RECORD_H_
