// PoolRecoveryFixture: a pool with a journal, and the one that comes after it.
#ifndef WARMPOOL_TESTS_CORE_POOL_RESTART_POOL_RECOVERY_FIXTURE_H_
#define WARMPOOL_TESTS_CORE_POOL_RESTART_POOL_RECOVERY_FIXTURE_H_

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/journal/journal.h"
#include "core/pool/pool.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {

class PoolRecoveryFixture : public PoolFixture {
 protected:
  PoolRecoveryFixture() { Start({}); }
  ~PoolRecoveryFixture() override { Stop(); }

  // A daemon that finds these holders alive; nobody else's leases go on.
  Recovered Start(std::vector<HolderId> alive) {
    Journal::Replay replay;
    journal_ = Journal::Open(directory_->private_directory_fd(), "this boot",
                             Journal::Options(), &journal_calls_, &replay)
                   .value();
    std::vector<std::string> unknown;
    std::vector<Segment> leftovers =
        directory_->FindLeftovers(SizeClasses(), &unknown).value();
    pool_ = std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &random_,
                                   options_, journal_.get());
    pool_->AddHolder({kAlice, 101, getuid(), "alice", false, 11});
    pool_->AddHolder({kBob, 102, getuid(), "bob", false, 12});
    std::vector<RecoveredLease> leases;
    for (const LeaseRecord& record : replay.leases) {
      HolderId holder = record.holder_pid == 101 ? kAlice : kBob;
      if (std::find(alive.begin(), alive.end(), holder) == alive.end()) {
        holder = 0;
      }
      leases.push_back({record, holder});
    }
    EXPECT_THAT(journal_->Begin(), IsOk());
    const Recovered recovery =
        pool_->Recover(leases, replay.last_generation, std::move(leftovers));
    pool_->CheckInvariants();
    return recovery;
  }

  // Live leases stay as they are. (What was retained is ended, other than by a
  // daemon that is killed.)
  void Stop() {
    pool_.reset();
    journal_.reset();
  }

  Recovered Restart(std::vector<HolderId> alive) {
    Stop();
    return Start(std::move(alive));
  }

  // Without what the journal has.
  void RestartWithoutJournal() {
    Stop();
    for (const char* const name : {"journal", "journal.spare"}) {
      unlinkat(directory_->private_directory_fd(), name, 0);
    }
    EXPECT_EQ(Start({kAlice, kBob}).leases, 0u);
  }

  static AssertedLease AssertionOf(const LeaseGrant& grant,
                                   const LeaseRequest& request) {
    AssertedLease asserted;
    asserted.id = grant.id;
    asserted.request_id = request.request_id;
    asserted.generation = grant.generation;
    asserted.buffer_name = grant.buffer_name;
    asserted.file_name = grant.path.substr(grant.path.rfind('/') + 1);
    asserted.bytes = grant.bytes;
    asserted.access = grant.access;
    asserted.sealed = grant.sealed;
    asserted.ttl = absl::Seconds(5);
    return asserted;
  }

  absl::StatusOr<absl::Duration> Assert(HolderId holder,
                                        const AssertedLease& asserted) {
    auto ttl = pool_->Assert(holder, asserted);
    pool_->CheckInvariants();
    return ttl;
  }

  // Names of the buffers with a lease that is recovering.
  std::set<std::string> Recovering() {
    pool_->CheckInvariants();
    std::set<std::string> names;
    size_t leases = 0;
    for (const BufferListing& buffer : pool_->ListAll()) {
      for (const BufferListing::Lease& lease : buffer.leases) {
        if (lease.state != LeaseState::kRecovering) continue;
        ++leases;
        names.insert(buffer.name);
      }
    }
    EXPECT_EQ(pool_->stats().recovering_leases, leases);
    return names;
  }

  Pool::Options options_ = InlineOptions();
  FaultySystemCalls journal_calls_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_RESTART_POOL_RECOVERY_FIXTURE_H_
