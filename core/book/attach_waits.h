// AttachWaits: attach requests that wait until a buffer exists or is sealed. A
// waiting request takes one entry here, and neither a thread nor polling.
//
// An entry is removed once: when its buffer exists or is sealed, at its
// deadline, or by Cancel. The caller that removes it calls its wake function
// without holding the lock (except after Cancel).
//
// Thousands of requests may wait for one buffer or belong to one holder. So
// entries are removed a few at a time, the longest waits first.
//
// Externally synchronised, by the lock of the buffer table: the caller holds it
// from checking the table until it has added the entry. Invariant: every wait
// is found by its target, its deadline and its holder.
#ifndef WARMPOOL_CORE_BOOK_ATTACH_WAITS_H_
#define WARMPOOL_CORE_BOOK_ATTACH_WAITS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/lease/lease.h"

namespace warmpool {

// Identifies a wait: an address that stays valid while the request waits.
using WaitId = const void*;

// How an attach request waits.
struct AttachWait {
  WaitId id = nullptr;
  absl::Time until;
  // Called once, unless the wait is cancelled, on any thread and with no lock
  // held. The request must then be repeated.
  std::function<void()> wake;
};

class AttachWaits {
 public:
  // A wait and its request take about a kilobyte.
  static constexpr size_t kMaxPerUid = 16'384;

  using Wakes = std::vector<std::function<void()>>;

  // What a request waits for.
  struct Target {
    std::string name;
    // The buffer's owner.
    uid_t uid = 0;
    // True: waits until the buffer is sealed. False: until it exists.
    bool sealed = false;
  };

  // RESOURCE_EXHAUSTED: the uid has kMaxPerUid waits. REQUIRES: no wait has
  // that id.
  absl::Status Add(Target target, const Holder& holder, AttachWait wait);

  // The requests that wait for one target at one time. A request that is woken
  // and waits again is not in the same crowd. So waking a whole crowd
  // terminates.
  struct Crowd {
    Target target;
    uint64_t before = 0;
  };
  Crowd CrowdFor(Target target) const {
    return {std::move(target), next_number_};
  }

  // The thread that makes or seals a buffer wakes so many requests itself,
  // because handing those to another thread takes longer.
  static constexpr size_t kWakesByCaller = 16;
  struct First {
    Wakes wakes;
    // nullopt: the crowd has no more.
    std::optional<Crowd> rest = std::nullopt;
  };
  First TakeFirst(Target target);

  // Each Take function removes at most `most` entries; it returns fewer only if
  // there are no more. TakeFrom: entries whose buffer exists or is sealed.
  Wakes TakeFrom(const Crowd& crowd, size_t most);
  Wakes TakeDue(absl::Time now, size_t most);
  Wakes TakeOf(HolderId holder, size_t most);
  // Any entries.
  Wakes Take(size_t most);
  // False: the entry was removed before, and its wake function is called.
  bool Cancel(WaitId id);

  // InfiniteFuture if no request waits.
  absl::Time NextDue() const;
  size_t size() const { return waits_.size(); }

  void CheckInvariants() const;

 private:
  // Sorts the waits for one target by number.
  using Named = std::tuple<std::string, uid_t, bool, uint64_t>;
  struct Entry {
    Target target;
    // Increases from one wait to the next.
    uint64_t number = 0;
    HolderId holder;
    // The holder's uid.
    uid_t uid;
    AttachWait wait;
  };

  static Named NameOf(const Target& target, uint64_t number) {
    return {target.name, target.uid, target.sealed, number};
  }
  std::function<void()> TakeOne(WaitId id);

  std::map<WaitId, Entry> waits_;
  uint64_t next_number_ = 0;
  absl::btree_map<Named, WaitId> by_name_;
  absl::btree_set<std::pair<absl::Time, WaitId>> by_deadline_;
  absl::btree_set<std::pair<HolderId, WaitId>> by_holder_;
  absl::flat_hash_map<uid_t, size_t> per_uid_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_ATTACH_WAITS_H_
