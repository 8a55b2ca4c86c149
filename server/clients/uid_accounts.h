// UidAccounts: what each uid makes the daemon keep in order to serve it, and
// how much of it one uid may have. Leases and bytes of segments are counted by
// the pool (core/engine/uid_quota.h), connections by ConnectionTable.
//
// Thread-safe; its lock covers the counts alone.
// Invariant: a uid that has nothing takes up no memory.
#ifndef WARMPOOL_SERVER_CLIENTS_UID_ACCOUNTS_H_
#define WARMPOOL_SERVER_CLIENTS_UID_ACCOUNTS_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"

namespace warmpool {

class UidAccounts {
 public:
  enum class Resource {
    // Calls from their beginning until gRPC is done with them, Sessions and
    // watches included. gRPC has some 20 KiB for each.
    kCalls,
    // WatchStats streams, each of which makes work all the time.
    kStatsWatches,
    // Bytes of answers that clients have not read, and of requests that wait.
    kHeldBytes,
  };
  static constexpr size_t kResourceCount = 3;

  struct Options {
    // By Resource.
    std::array<uint64_t, kResourceCount> limits = {2048, 64, 8 << 20};
  };

  explicit UidAccounts(const Options& options) : options_(options) {}

  // RESOURCE_EXHAUSTED, with nothing counted: the uid would have more than the
  // limit; the message names uid, use and limit.
  absl::Status Take(uid_t uid, Resource resource, uint64_t amount = 1);
  // Counts it whatever the limit.
  void Force(uid_t uid, Resource resource, uint64_t amount);
  // REQUIRES: so much was taken.
  void Give(uid_t uid, Resource resource, uint64_t amount = 1);

  uint64_t UsageOf(uid_t uid, Resource resource) const;

 private:
  using Usage = std::array<uint64_t, kResourceCount>;

  const Options options_;
  mutable Mutex mutex_;
  absl::flat_hash_map<uid_t, Usage> usage_ ABSL_GUARDED_BY(mutex_);
};

// Gives back what was taken.
class UidCharge {
 public:
  UidCharge() = default;
  UidCharge(const UidCharge&) = delete;
  UidCharge& operator=(const UidCharge&) = delete;
  ~UidCharge();

  // As UidAccounts::Take. `accounts` must outlive this.
  // REQUIRES: nothing was taken by this before.
  absl::Status Take(UidAccounts* accounts, uid_t uid,
                    UidAccounts::Resource resource, uint64_t amount = 1);

 private:
  UidAccounts* accounts_ = nullptr;
  uid_t uid_ = 0;
  UidAccounts::Resource resource_ = UidAccounts::Resource::kCalls;
  uint64_t amount_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_UID_ACCOUNTS_H_
