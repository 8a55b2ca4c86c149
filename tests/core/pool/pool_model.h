// PoolModel: a Pool, driven by random operations, and a plain model of what it
// promises: maps of buffers and leases, without caches, batches or quarantine.
#ifndef WARMPOOL_TESTS_CORE_POOL_POOL_MODEL_H_
#define WARMPOOL_TESTS_CORE_POOL_POOL_MODEL_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/memory/segment_directory.h"
#include "core/pool/pool.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/seeded_random.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {

class PoolModel {
 public:
  explicit PoolModel(uint64_t seed);
  ~PoolModel();

  // One random operation; expects of its answer what the model says.
  void Step();
  // Expects that pool, directory and model agree.
  void Check();
  // Ends everything; expects that nothing is left.
  void End();

 private:
  using BufferKey = std::pair<uid_t, std::string>;

  struct Buffer {
    std::string path;
    uint64_t bytes = 0;
    uint64_t segment_bytes = 0;
    uint64_t generation = 0;
    std::set<LeaseId> leases;
    // Its client took its pages away: what it wrote is gone.
    bool tampered = false;
  };
  struct Lease {
    HolderId holder = 0;
    BufferKey buffer;
    uint64_t generation = 0;
    absl::Time expires_at = absl::InfiniteFuture();
  };
  struct Ended {
    HolderId holder = 0;
    EndCause cause = EndCause::kReleased;
    // The holder's.
    uid_t uid = 0;
  };
  // A request that was answered with a lease.
  struct Answered {
    HolderId holder = 0;
    LeaseRequest request;
    LeaseId lease;
  };

  uint64_t Random(uint64_t bound) { return random_() % bound; }
  bool Chance(int percent) { return Random(100) < uint64_t(percent); }
  template <typename Container>
  typename Container::iterator RandomIn(Container& container) {
    return std::next(container.begin(), Random(container.size()));
  }
  Pool::Options RandomOptions();
  RequestedTtl RandomTtl();
  // Live ones mostly, at times ended or never granted.
  LeaseId RandomLease();
  HolderId RandomHolder();
  std::string RandomName() { return "n" + std::to_string(Random(6)); }

  void InjectFaults();
  void LeaseOne();
  void AttachOne();
  void RepeatOne();
  void ReleaseSome();
  void RenewOne();
  void AdvanceAndTick();
  void AddHolder();
  void KillHolder();
  // A client opens its buffer, or stops having it open: proofs fail between.
  void KeepOne();
  void StopKeeping();
  void TamperWithOne();

  // What a lease on a new buffer must be.
  void ExpectGranted(HolderId holder, const LeaseRequest& request,
                     const LeaseGrant& grant);
  absl::StatusCode ExpectedCodeOf(HolderId holder, const LeaseRef& ref,
                                  bool as_admin) const;
  void EndLease(const LeaseId& id, EndCause cause);
  uint64_t LeasedBytes() const;

  std::mt19937_64 random_;
  ScratchDirectory scratch_;
  FaultySystemCalls calls_;
  FakeClock clock_;
  SeededRandom ids_;
  const size_t max_open_segments_;
  std::unique_ptr<SegmentDirectory> directory_;
  // Whether clients take pages away; what files take is then no longer what
  // they were made with.
  const bool tampers_;
  Pool::Options options_;
  std::unique_ptr<Pool> pool_;

  // The model.
  std::map<HolderId, Holder> holders_;
  HolderId next_holder_ = 1;
  std::map<BufferKey, Buffer> buffers_;
  std::map<LeaseId, Lease> leases_;
  std::map<LeaseId, Ended> ended_;
  std::vector<Answered> answered_;
  absl::Time expiry_pause_end_ = absl::InfinitePast();
  // Descriptors of clients.
  std::vector<int> kept_;
  // Of leases that ended without their holders' release.
  std::set<std::string> stale_paths_;
  // Leases whose holders must have been told of their end, and were.
  std::set<LeaseId> to_be_told_;
  std::set<LeaseId> told_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_POOL_MODEL_H_
