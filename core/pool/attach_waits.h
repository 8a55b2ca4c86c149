// AttachWaits: who waits for a buffer of some name to be there, or to be sealed.
// Waiting takes an entry in here and nothing else: no thread, no polling.
//
// An entry is taken out once, by whoever brings about what it waits for, by its
// deadline, or by being cancelled; the taker calls its wake function, without what
// synchronises this.
//
// Externally synchronised, with the table of the buffers: between the look at that
// and the entry nothing may change.
#ifndef WARMPOOL_CORE_POOL_ATTACH_WAITS_H_
#define WARMPOOL_CORE_POOL_ATTACH_WAITS_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/pool/lease.h"

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
  // Of one uid: about 300 bytes each.
  static constexpr size_t kMaxPerUid = 100'000;

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

  // Whose wait is over, as the buffer is there or is sealed.
  Wakes TakeFor(const Target& target);
  Wakes TakeDue(absl::Time now);
  Wakes TakeOf(HolderId holder);
  Wakes TakeAll();
  // False: it was taken before, and its wake function is called.
  bool Cancel(WaitId id);

  // InfiniteFuture if nobody waits.
  absl::Time NextDue() const;
  size_t size() const { return waits_.size(); }

  void CheckInvariants() const;

 private:
  using Named = std::tuple<std::string, uid_t, WaitId>;
  struct Entry {
    Target target;
    HolderId holder;
    // Of the holder.
    uid_t uid;
    AttachWait wait;
  };

  static Named NameOf(const Target& target, WaitId id) {
    return {target.name, target.uid, id};
  }
  template <typename Predicate>
  Wakes TakeIf(Predicate predicate);
  std::function<void()> Take(WaitId id);

  absl::flat_hash_map<WaitId, Entry> waits_;
  std::set<Named> by_name_;
  std::set<std::pair<absl::Time, WaitId>> by_deadline_;
  absl::flat_hash_map<uid_t, size_t> per_uid_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_ATTACH_WAITS_H_
