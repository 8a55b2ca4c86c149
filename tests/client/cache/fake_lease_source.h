// FakeLeaseSource: a daemon that is a table, for tests of the lease cache. It
// fails the test when a lease is released twice, or while it is still mapped.
#ifndef WARMPOOL_TESTS_CLIENT_CACHE_FAKE_LEASE_SOURCE_H_
#define WARMPOOL_TESTS_CLIENT_CACHE_FAKE_LEASE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/leases/lease_source.h"
#include "core/base/mutex.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {

// Thread-safe.
class FakeLeaseSource final : public LeaseSource {
 public:
  // `calls` are those by which leases are mapped, one mapping each, after they
  // were granted.
  explicit FakeLeaseSource(const FaultySystemCalls* calls) : calls_(*calls) {}

  // Every byte of capacity granted from here on must be given back first.
  void set_capacity(uint64_t bytes);
  // How many leases are to be had ahead of need, of whatever class. Each names
  // a file, which is there until its release.
  void set_ready(size_t count);
  // What was asked for ahead of need, by call: bytes of one lease, and how
  // many.
  std::vector<std::pair<uint64_t, size_t>> asked_ahead() const;
  // What leases are granted with.
  v1::GrantedLease& terms() { return terms_; }
  // The daemon's verdict on a lease that is not released yet.
  void SayEnded(const std::string& lease_id);

  // Leases granted and not released, and the bytes of their segments.
  size_t outstanding() const;
  uint64_t outstanding_bytes() const;
  bool IsOutstanding(const std::string& lease_id) const;
  // Of leases granted, in all.
  uint64_t granted() const;
  // The releases that were told, by call: how many leases at once.
  std::vector<size_t> releases() const;
  // Releases that waited for their answer.
  uint64_t waited() const;
  uint64_t renewals() const;
  std::vector<v1::IdleReport> reports() const;

  using LeaseSource::Lease;
  absl::StatusOr<HeldLease> Lease(v1::LeaseRequest request,
                                  GiveBack give_back) override;
  absl::StatusOr<HeldLease> Attach(v1::AttachRequest request) override;
  absl::StatusOr<HeldLease> Claim(v1::ClaimRequest request) override;
  std::vector<HeldLease> LeaseAhead(uint64_t bytes, size_t count) override;
  absl::Status Release(const v1::GrantedLease& lease) override;
  void ReleaseLater(const std::vector<v1::LeaseRef>& leases) override;
  absl::Status Renew(const v1::GrantedLease& lease) override;
  absl::StatusOr<LeasesByBuffer> LeasesOn(
      const std::string& name_prefix) override;
  absl::Status Seal(const v1::GrantedLease& lease,
                    v1::SealRequest request) override;
  absl::Status MakeTicket(const v1::GrantedLease& lease,
                          v1::MakeTicketRequest request) override;
  absl::Status TellSize(const v1::GrantedLease& lease,
                        uint64_t size_bytes) override;
  void ReportIdle(const v1::IdleReport& idle) override;
  uid_t daemon_uid() const override;

 private:
  struct Entry {
    uint64_t bytes = 0;
    uint64_t generation = 0;
    std::shared_ptr<LeaseFate> fate;
    // Empty: it has no file.
    std::string path = "";
  };

  absl::StatusOr<HeldLease> LeaseLocked(const v1::LeaseRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReleaseLocked(const std::string& lease_id, uint64_t generation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t BytesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const FaultySystemCalls& calls_;
  const ScratchDirectory files_;
  v1::GrantedLease terms_;

  mutable Mutex mutex_;
  uint64_t capacity_ ABSL_GUARDED_BY(mutex_) = UINT64_MAX;
  // By lease id.
  std::map<std::string, Entry> outstanding_ ABSL_GUARDED_BY(mutex_);
  size_t ready_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::pair<uint64_t, size_t>> asked_ahead_ ABSL_GUARDED_BY(mutex_);
  uint64_t granted_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t waited_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t renewals_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<size_t> releases_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::IdleReport> reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CLIENT_CACHE_FAKE_LEASE_SOURCE_H_
