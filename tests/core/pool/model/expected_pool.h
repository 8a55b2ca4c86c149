// ExpectedPool: what a Pool promises, as plain maps of holders, buffers and
// leases, without caches, batches or quarantine.
//
// Each change is one that the pool has made or must have made. What a request
// is answered is in expected_answers.h.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_POOL_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_POOL_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/book/buffer_events.h"
#include "core/lease/lease.h"
#include "tests/core/pool/model/expected_lease.h"

namespace warmpool {

class ExpectedPool {
 public:
  static constexpr HolderId kNoHolder = ExpectedLease::kNoHolder;
  // For so long a channel's buffer is kept for a member that has yet to open
  // it.
  static constexpr absl::Duration kChannelLinger = absl::Seconds(10);

  using Buffer = ExpectedBuffer;
  using Lease = ExpectedLease;
  using BufferKey = ExpectedLease::BufferKey;

  // Those of a buffer come in order.
  using Events = std::map<BufferKey, std::vector<ExpectedEvent>>;
  struct Counts {
    std::map<EndCause, uint64_t> ended;
    uint64_t attached = 0;
    uint64_t asserted = 0;
    uint64_t sealed = 0;
    uint64_t tickets = 0;
    uint64_t claimed = 0;
    uint64_t lingered = 0;
  };

  // `clock` must outlive this.
  explicit ExpectedPool(const Clock* clock) : clock_(*clock) {}

  void AddHolder(const Holder& holder) { holders_[holder.id] = holder; }
  // The holder's process is gone.
  void RemoveHolder(HolderId id);

  // A lease that `holder` gets at this moment.
  Lease Held(HolderId holder, const BufferKey& key, Access access,
             absl::Duration ttl) const;
  void AddBuffer(const BufferKey& key, Buffer buffer, const LeaseId& id,
                 Lease lease);
  // A further one on a buffer that is there.
  void Attach(const LeaseId& id, Lease lease);
  void Assert(const LeaseId& id, Lease lease);
  void Renew(const LeaseId& id, absl::Duration ttl);
  // A client of the holder has attached to the buffer.
  void RecordShown(HolderId holder, const BufferKey& key);
  void Seal(const LeaseId& id, const SealRequest& request);
  void MakeTicket(const LeaseId& id, const LeaseId& ticket, absl::Duration ttl,
                  uint64_t bytes);
  void Claim(const LeaseId& ticket, HolderId holder, const LeaseGrant& grant);

  // `for_all`: with those of the other members of its channel, as all ends but
  // a plain release of one's own.
  void End(const LeaseId& id, EndCause cause, bool for_all = true);
  void EndExpired(absl::Time as_of);
  void PostponeExpiry(absl::Time until);
  // InfiniteFuture if nothing expires.
  absl::Time NextExpiry() const;
  // What ended before is forgotten, and the pool counts from zero.
  void ForgetPast();

  // A lingering lease that the pool made up: true if one must be there.
  bool LearnLingering(const LeaseId& id, const BufferKey& key,
                      absl::Time expires_at);

  const std::map<HolderId, Holder>& holders() const { return holders_; }
  const std::map<BufferKey, Buffer>& buffers() const { return buffers_; }
  std::map<BufferKey, Buffer>& buffers() { return buffers_; }
  const std::map<LeaseId, Lease>& leases() const { return leases_; }
  const std::map<LeaseId, ExpectedEnd>& ended() const { return ended_; }
  const std::map<LeaseId, ToldEnd>& told() const { return told_; }
  const Counts& counts() const { return counts_; }
  // Paths that holders know of leases that ended without their release.
  const std::set<std::string>& stale_paths() const { return stale_paths_; }
  uint64_t last_generation() const { return last_generation_; }
  Events TakeEvents() { return std::exchange(events_, {}); }

  static bool InChannel(const BufferKey& key);
  // The lease's buffer. REQUIRES: the lease is live.
  const Buffer& BufferOf(const LeaseId& id) const;
  bool HasLeaseOn(HolderId holder, const BufferKey& key) const;
  uint64_t LeasedBytes() const;
  // Leases that count for the uid's limit.
  size_t LeasesPaidBy(uid_t uid) const;

 private:
  void AddLease(const LeaseId& id, Lease lease);
  void EndOne(const LeaseId& id, EndCause cause, absl::Duration linger);
  bool HasHolderOf(uid_t uid) const;
  uid_t PayerOf(const Lease& lease) const;
  absl::Time EndsAt(absl::Duration ttl) const;
  void Publish(BufferEvents::Kind kind, const BufferKey& key);

  const Clock& clock_;
  std::map<HolderId, Holder> holders_;
  std::map<BufferKey, Buffer> buffers_;
  std::map<LeaseId, Lease> leases_;
  std::map<LeaseId, ExpectedEnd> ended_;
  std::map<LeaseId, ToldEnd> told_;
  std::set<std::string> stale_paths_;
  Events events_;
  Counts counts_;
  absl::Time expiry_pause_end_ = absl::InfinitePast();
  uint64_t last_generation_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_POOL_H_
