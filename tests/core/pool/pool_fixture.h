// PoolFixture: a Pool with a few holders on a directory of the test's own.
#ifndef WARMPOOL_TESTS_CORE_POOL_POOL_FIXTURE_H_
#define WARMPOOL_TESTS_CORE_POOL_POOL_FIXTURE_H_

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/pool/pool.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/seeded_random.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {

class PoolFixture : public DirectoryFixture {
 protected:
  // Two processes of one user, one of another, and one that may do all.
  static constexpr HolderId kAlice = 1;
  static constexpr HolderId kBob = 2;
  static constexpr HolderId kCarol = 3;
  static constexpr HolderId kAdmin = 4;

  static Pool::Options InlineOptions() {
    Pool::Options options;
    options.segments.batch.drain = UnmapBatch::Drain::kInline;
    return options;
  }

  void Make(Pool::Options options) {
    options.on_revoked = [this](const RevokedLease& lease) {
      revoked_.push_back(lease);
    };
    pool_.reset();
    pool_ = std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &random_,
                                   options);
    pool_->AddHolder({kAlice, 101, 1000, "alice", false});
    pool_->AddHolder({kBob, 102, 1000, "bob", false});
    pool_->AddHolder({kCarol, 103, 2000, "carol", false});
    pool_->AddHolder({kAdmin, 104, 0, "admin", true});
  }

  LeaseRequest Request(uint64_t bytes, const std::string& name = "") {
    LeaseRequest request;
    request.request_id = random_.Next();
    request.bytes = bytes;
    if (!name.empty()) request.name = name;
    return request;
  }

  AttachRequest AttachTo(const std::string& name) {
    AttachRequest request;
    request.request_id = random_.Next();
    request.name = name;
    request.access = Access::kSharedWritable;
    return request;
  }

  absl::StatusOr<LeaseGrant> Lease(HolderId holder,
                                   const LeaseRequest& request) {
    auto grant = pool_->Lease(holder, request);
    pool_->CheckInvariants();
    return grant;
  }

  LeaseGrant LeaseOrDie(HolderId holder, uint64_t bytes,
                        const std::string& name = "",
                        RequestedTtl ttl = std::nullopt) {
    LeaseRequest request = Request(bytes, name);
    request.ttl = ttl;
    return Lease(holder, request).value();
  }

  LeaseGrant AttachOrDie(HolderId holder, const std::string& name,
                         RequestedTtl ttl = std::nullopt) {
    AttachRequest request = AttachTo(name);
    request.ttl = ttl;
    return pool_->Attach(holder, request).value();
  }

  absl::Status Release(HolderId holder, const LeaseRef& lease) {
    const auto statuses = pool_->Release(holder, {&lease, 1}, false);
    pool_->CheckInvariants();
    EXPECT_EQ(statuses.size(), 1u);
    return statuses[0];
  }
  absl::Status Release(HolderId holder, const LeaseGrant& grant) {
    return Release(holder, LeaseRef{grant.id, grant.generation});
  }

  absl::Time TickAfter(absl::Duration duration) {
    clock_.Advance(duration);
    const absl::Time next = pool_->Tick();
    pool_->CheckInvariants();
    return next;
  }

  uint64_t In(ByteState state) const {
    return pool_->stats().segments.ledger.in(state);
  }

  // What a refusal must leave as it was.
  struct Standing {
    std::array<uint64_t, kByteStateCount> bytes;
    FaultySystemCalls::Live live;
    size_t leases;
    size_t buffers;

    friend bool operator==(const Standing&, const Standing&) = default;
    friend void PrintTo(const Standing& standing, std::ostream* out) {
      *out << "bytes";
      for (const uint64_t bytes : standing.bytes) *out << " " << bytes;
      *out << ", " << testing::PrintToString(standing.live) << ", "
           << standing.leases << " leases, " << standing.buffers << " buffers";
    }
  };
  Standing standing() const {
    const Pool::Stats stats = pool_->stats();
    Standing standing{{}, calls_.live(), stats.live_leases, stats.live_buffers};
    for (size_t i = 0; i < kByteStateCount; ++i) {
      standing.bytes[i] = stats.segments.ledger.in(static_cast<ByteState>(i));
    }
    return standing;
  }

  FakeClock clock_;
  SeededRandom random_{1};
  std::vector<RevokedLease> revoked_;
  std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  std::unique_ptr<Pool> pool_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_POOL_FIXTURE_H_
