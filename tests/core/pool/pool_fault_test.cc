// Every system call that an operation makes, failing in every way: the
// operation works or fails cleanly, and the pool goes on.
#include <errno.h>

#include <filesystem>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

enum class Operation {
  kLeaseFresh,
  kLeaseWarm,
  kLeaseWithEvictions,
  kLeaseOnFullFilesystem,
  kRelease,
  kExpire,
  kSettle,
  kDecay,
  kDrain,
  kRevokeAll,
};

constexpr Operation kOperations[] = {
    Operation::kLeaseFresh,
    Operation::kLeaseWarm,
    Operation::kLeaseWithEvictions,
    Operation::kLeaseOnFullFilesystem,
    Operation::kRelease,
    Operation::kExpire,
    Operation::kSettle,
    Operation::kDecay,
    Operation::kDrain,
    Operation::kRevokeAll,
};

const char* NameOf(Operation operation) {
  switch (operation) {
    case Operation::kLeaseFresh: return "LeaseFresh";
    case Operation::kLeaseWarm: return "LeaseWarm";
    case Operation::kLeaseWithEvictions: return "LeaseWithEvictions";
    case Operation::kLeaseOnFullFilesystem: return "LeaseOnFullFilesystem";
    case Operation::kRelease: return "Release";
    case Operation::kExpire: return "Expire";
    case Operation::kSettle: return "Settle";
    case Operation::kDecay: return "Decay";
    case Operation::kDrain: return "Drain";
    case Operation::kRevokeAll: return "RevokeAll";
  }
  return "?";
}

constexpr int kErrors[] = {EINTR, ENOSPC, EMFILE, ENOMEM, EIO};

class PoolFaultTest
    : public PoolFixture,
      public testing::WithParamInterface<std::tuple<Operation, size_t>> {
 protected:
  static Operation operation() { return std::get<0>(GetParam()); }
  static Call call() { return static_cast<Call>(std::get<1>(GetParam())); }
  // What could not be ended stays, and is counted.
  static bool ends() {
    return call() == Call::kUnlink || call() == Call::kMunmap;
  }

  void Prepare() {
    Pool::Options options = InlineOptions();
    options.segments.capacity_bytes = 4 * kMiB;
    options.segments.batch.threshold_bytes = kMiB;
    Make(options);
    // What a lease can be warm with, or has to make room.
    std::vector<LeaseGrant> grants;
    for (const uint64_t bytes : {kMiB, kMiB, 512 * kKiB, 4 * kKiB}) {
      if (operation() == Operation::kLeaseFresh) break;
      grants.push_back(LeaseOrDie(kAlice, bytes));
    }
    for (const LeaseGrant& grant : grants) {
      ASSERT_THAT(Release(kAlice, grant), IsOk());
    }
    held_ = LeaseOrDie(kAlice, 64 * kKiB, "held", absl::Seconds(5));
    if (operation() != Operation::kSettle) return;
    const int fd = open(held_.path.c_str(), O_RDONLY);
    ASSERT_THAT(Release(kAlice, held_), IsOk());
    close(fd);
  }

  // What was to be done; the status of a lease.
  absl::Status Act(const LeaseRequest& request) {
    switch (operation()) {
      case Operation::kLeaseOnFullFilesystem:
        if (call() != Call::kFallocate) {
          calls_.FailNext(Call::kFallocate, ENOSPC, 2);
        }
        return Lease(kBob, request).status();
      case Operation::kLeaseFresh:
      case Operation::kLeaseWarm:
      case Operation::kLeaseWithEvictions: return Lease(kBob, request).status();
      case Operation::kRelease: return Release(kAlice, held_);
      case Operation::kExpire: TickAfter(absl::Seconds(5)); break;
      case Operation::kSettle: TickAfter(absl::Milliseconds(1)); break;
      case Operation::kDecay: TickAfter(absl::Seconds(10)); break;
      case Operation::kDrain: pool_->Drain(); break;
      case Operation::kRevokeAll: pool_->RevokeAll(); break;
    }
    return absl::OkStatus();
  }

  LeaseRequest RequestOfOperation() {
    switch (operation()) {
      case Operation::kLeaseWithEvictions: return Request(3 * kMiB, "new");
      case Operation::kLeaseOnFullFilesystem: return Request(128 * kKiB, "new");
      default: return Request(kMiB, "new");
    }
  }

  bool IsLease() const {
    return operation() == Operation::kLeaseFresh ||
           operation() == Operation::kLeaseWarm ||
           operation() == Operation::kLeaseWithEvictions ||
           operation() == Operation::kLeaseOnFullFilesystem;
  }

  // Every file and descriptor is that of a segment which the ledger has.
  void ExpectNothingUnaccounted() {
    const Pool::Stats stats = pool_->stats();
    const size_t known = stats.live_buffers + stats.segments.retained_segments +
                         stats.segments.quarantined_segments +
                         stats.segments.batch.blocks_waiting;
    const FaultySystemCalls::Live live = calls_.live();
    EXPECT_EQ(live.descriptors, directory_->open_segments());
    // One is closed where another can't be opened.
    EXPECT_LE(live.descriptors, known);
    EXPECT_EQ(live.files - left_before_,
              known + (ends() ? stats.segments.batch.failed_calls : 0u));
  }

  // One run with the nth call failing. False if there was no nth call.
  bool RunWithFault(uint64_t nth, int error) {
    left_before_ = calls_.live().files;
    Prepare();
    const Standing before = standing();
    const uint64_t faults = calls_.faults(call());
    const LeaseRequest request = RequestOfOperation();
    calls_.FailNth(call(), nth, error);
    const absl::Status status = Act(request);
    calls_.StopFailing();
    const bool hit = calls_.faults(call()) > faults;

    if (error == EINTR) {
      EXPECT_THAT(status, IsOk()) << "not made again";
    }
    if (!IsLease()) {
      EXPECT_THAT(status, IsOk());
    }
    ExpectNothingUnaccounted();
    if (!status.ok()) {
      const Standing after = standing();
      const auto leased = static_cast<size_t>(ByteState::kLeased);
      EXPECT_EQ(after.bytes[leased], before.bytes[leased]);
      EXPECT_EQ(after.leases, before.leases);
      EXPECT_EQ(after.buffers, before.buffers);
      // The same request works once the kernel does, and has been asked again
      // about segments that it could not tell of.
      TickAfter(Quarantine::kFirstPause);
      EXPECT_THAT(Lease(kBob, request), IsOk());
      ExpectNothingUnaccounted();
    }

    // The pool still comes to its end.
    pool_->RemoveHolder(kAlice);
    pool_->RemoveHolder(kBob);
    TickAfter(absl::Seconds(1));
    pool_->Drain();
    const Pool::Stats stats = pool_->stats();
    EXPECT_EQ(stats.segments.ledger.used(), 0u);
    // An interrupted unlink was made again; a close never is.
    const bool failed_to_end =
        hit && (call() == Call::kClose || (ends() && error != EINTR));
    EXPECT_EQ(stats.segments.batch.failed_calls, failed_to_end ? 1u : 0u);
    ExpectNothingUnaccounted();
    pool_.reset();
    // Away with what the failed unlink left.
    directory_.reset();
    std::filesystem::remove_all(path_);
    directory_ = OpenOrDie();
    return hit;
  }

  LeaseGrant held_;
  // Files that earlier runs could not unlink.
  size_t left_before_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    Everywhere, PoolFaultTest,
    testing::Combine(testing::ValuesIn(kOperations),
                     testing::Range(size_t{0}, SystemCalls::kCallCount)),
    [](const auto& info) {
      return std::string(NameOf(std::get<0>(info.param))) + "_" +
             SystemCalls::Name(static_cast<Call>(std::get<1>(info.param)));
    });

TEST_P(PoolFaultTest, WorksOrFailsCleanly) {
  for (const int error : kErrors) {
    uint64_t nth = 1;
    while (RunWithFault(nth, error)) {
      ASSERT_FALSE(HasFailure()) << "call " << nth << ", errno " << error;
      ASSERT_LT(++nth, 50u);
    }
    ASSERT_FALSE(HasFailure()) << "call " << nth << ", errno " << error;
  }
}

}  // namespace
}  // namespace warmpool
