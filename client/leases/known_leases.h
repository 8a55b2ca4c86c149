// KnownLeases: the leases that a client has, and its requests for more that are
// under way. What the daemon has for the client beyond them is forgotten: its
// grant was lost on the way, or its release was.
//
// A request is registered before it is sent, and ends once its answer was taken
// in: at every moment each lease that the daemon may have granted is known, in
// flight, or in doubt (given up by its caller).
//
// Thread-safe. Its lock is held for look-ups only, never over a call.
#ifndef WARMPOOL_CLIENT_LEASES_KNOWN_LEASES_H_
#define WARMPOOL_CLIENT_LEASES_KNOWN_LEASES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/leases/lease_source.h"
#include "core/base/mutex.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Lease ids and request ids are 16 raw bytes.
class KnownLeases {
 public:
  struct Known {
    v1::GrantedLease granted;
    // Of the request that it answered.
    std::string request_id;
  };

  // For how long a request in doubt has to be missing from the daemon's lists
  // before it is taken for one that was never granted. The first list may come
  // before the grant: the daemon may still be making the buffer, and 1 GiB on a
  // machine under pressure takes a while.
  static constexpr absl::Duration kDoubtFor = absl::Minutes(1);

  // --- Requests ---
  // To be called before the request is sent, and followed by one of the next
  // three.
  void Begin(const std::string& request_id);
  std::shared_ptr<const LeaseFate> Granted(const std::string& request_id,
                                           const v1::GrantedLease& granted);
  // The daemon answered that there is no lease.
  void Refused(const std::string& request_id);
  // There is no answer: a lease may have been granted, or may yet be.
  void GivenUp(const std::string& request_id, absl::Time now);

  // --- Leases ---
  // Forgets a lease that is about to be released. Returns whether it was known.
  bool Drop(const std::string& lease_id);

  // The same for one whose release ends those of its channel's other members,
  // too. That is remembered, should the release be lost on the way, of the last
  // kDroppedForAll of them.
  void DropForAll(const std::string& lease_id);
  bool WasDroppedForAll(const std::string& lease_id) const;
  static constexpr size_t kDroppedForAll = 1024;

  // Its holder has sealed it, and told its size. No effect on one that is not
  // known, here and below.
  void Sealed(const std::string& lease_id, uint64_t size_bytes);

  // Its holder is about to tell the daemon of this size, and has.
  void Resize(const std::string& lease_id, uint64_t size_bytes);
  void SizeTold(const std::string& lease_id, uint64_t size_bytes);
  // The live ones whose size the daemon may not know.
  std::vector<Known> WithUntoldSize() const;

  // The daemon's `verdict` is that a lease has ended. It may arrive before its
  // grant was taken in: while requests are in flight, the last kEarlyVerdicts
  // on leases that are not known are kept for that.
  static constexpr size_t kEarlyVerdicts = 1024;
  void Lose(const std::string& lease_id, const absl::Status& verdict);
  // The verdict on a lost lease; OK for any other.
  absl::Status VerdictOn(const std::string& lease_id) const;

  // Those that are known and not lost.
  bool IsLive(const std::string& lease_id) const;
  std::optional<Known> FindLive(const std::string& lease_id) const;
  std::vector<Known> Live() const;

  // --- What the daemon has ---
  // Whether a lease that the daemon has for this client is neither known nor
  // the answer to a request in flight. To be asked after the daemon told.
  bool IsForgotten(const std::string& lease_id,
                   const std::string& request_id) const;

  // The daemon's list was read to its end, had these requests, and what was
  // forgotten of it is released. Returns whether no request is left in doubt.
  bool SettleDoubts(const absl::flat_hash_set<std::string>& listed_requests,
                    absl::Time now);

  // Leases known, lost ones included; requests in flight; requests in doubt.
  size_t size() const;
  size_t in_flight() const;
  size_t in_doubt() const;

 private:
  struct Entry {
    Known known;
    // Not OK: lost.
    absl::Status verdict;
    std::shared_ptr<LeaseFate> fate;
    bool size_untold = false;
  };
  struct EarlyVerdict {
    std::string lease_id;
    absl::Status verdict;
  };

  void EndRequestLocked(const std::string& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  // By lease id.
  absl::flat_hash_map<std::string, Entry> leases_ ABSL_GUARDED_BY(mutex_);
  // The oldest first.
  std::deque<std::string> dropped_for_all_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> in_flight_ ABSL_GUARDED_BY(mutex_);
  // The oldest first. None while no request is in flight.
  std::deque<EarlyVerdict> early_verdicts_ ABSL_GUARDED_BY(mutex_);
  // Until when each may be missing from the lists.
  absl::flat_hash_map<std::string, absl::Time> in_doubt_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_KNOWN_LEASES_H_
