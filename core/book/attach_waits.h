// AttachWaits: who waits for a buffer of some name to be there, or to be
// sealed. Waiting takes an entry in here and nothing else: no thread, no
// polling.
//
// An entry is taken out once, by whoever brings about what it waits for, by its
// deadline, or by being cancelled; the taker calls its wake function, without
// what synchronises this.
//
// Thousands may wait for one buffer, or for one holder: they are taken out
// a few at a time, those first who have waited for longest.
//
// Externally synchronised, with the table of the buffers: between the look at
// that and the entry nothing may change. Invariant: every wait is found by its
// target, its deadline and its holder.
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

// Names a wait: an address that its owner keeps meanwhile.
using WaitId = const void*;

// How a request to attach waits.
struct AttachWait {
  WaitId id = nullptr;
  absl::Time until;
  // Called once, unless the wait is cancelled, on any thread and under no lock:
  // the request is to be made again.
  std::function<void()> wake;
};

class AttachWaits {
 public:
  // Of one uid: a kilobyte each, with the request that waits.
  static constexpr size_t kMaxPerUid = 16'384;

  using Wakes = std::vector<std::function<void()>>;

  // What is waited for.
  struct Target {
    std::string name;
    // That the buffer belongs to.
    uid_t uid = 0;
    // For the buffer to be sealed; otherwise for it to be there.
    bool sealed = false;
  };

  // RESOURCE_EXHAUSTED: the uid has as many waits as it may.
  // REQUIRES: no wait has that id.
  absl::Status Add(Target target, const Holder& holder, AttachWait wait);

  // Those who wait for one target at some time. Who is woken and waits again is
  // none of them: so whoever wakes them all comes to an end.
  struct Crowd {
    Target target;
    uint64_t before = 0;
  };
  Crowd CrowdFor(Target target) const {
    return {std::move(target), next_number_};
  }

  // Whoever makes a buffer, or seals it, takes the first few of the crowd and
  // wakes them itself: for these another thread would take longer.
  static constexpr size_t kWakesByCaller = 16;
  struct First {
    Wakes wakes;
    // nullopt: those were all.
    std::optional<Crowd> rest = std::nullopt;
  };
  First TakeFirst(Target target);

  // Each of these takes `most` at most; fewer are all there are.
  // Whose wait is over, as the buffer is there or is sealed.
  Wakes TakeFrom(const Crowd& crowd, size_t most);
  Wakes TakeDue(absl::Time now, size_t most);
  Wakes TakeOf(HolderId holder, size_t most);
  // Whichever.
  Wakes Take(size_t most);
  // False: it was taken before, and its wake function is called.
  bool Cancel(WaitId id);

  // InfiniteFuture if nobody waits.
  absl::Time NextDue() const;
  size_t size() const { return waits_.size(); }

  void CheckInvariants() const;

 private:
  // In the order of their numbers, those that wait for one target.
  using Named = std::tuple<std::string, uid_t, bool, uint64_t>;
  struct Entry {
    Target target;
    // Goes up from one wait to the next.
    uint64_t number = 0;
    HolderId holder;
    // Of the holder.
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
