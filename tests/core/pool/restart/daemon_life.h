// DaemonLife: a daemon without its server: it starts on a directory as the real
// one does (server/daemon.cc), and is then used by its pool.
#ifndef WARMPOOL_TESTS_CORE_POOL_RESTART_DAEMON_LIFE_H_
#define WARMPOOL_TESTS_CORE_POOL_RESTART_DAEMON_LIFE_H_

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "core/engine/unmap_batch.h"
#include "core/journal/journal.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/pool/pool.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {

class DaemonLife {
 public:
  static constexpr HolderId kAlice = 1;
  static constexpr HolderId kBob = 2;

  // Makes its segments and its journal by these calls. What is pointed to must
  // outlive this.
  DaemonLife(std::string path, SystemCalls* calls, RandomSource* random,
             const Clock* clock)
      : path_(std::move(path)),
        calls_(*calls),
        random_(*random),
        clock_(*clock) {}
  // Stops, as far as its calls still do anything.
  ~DaemonLife() {
    for (Segment& segment : leftovers_) {
      UnmapBatch(&calls_, {UnmapBatch::Drain::kInline})
          .Detach(std::move(segment));
    }
  }

  // Finds the processes of these holders alive, of those that there were.
  absl::Status Start(const std::vector<HolderId>& alive) {
    auto directory =
        SegmentDirectory::Open(path_, "this test", &calls_, &random_);
    if (!directory.ok()) return directory.status();
    directory_ = *std::move(directory);
    auto journal = Journal::Open(directory_->private_directory_fd(), kBoot,
                                 {4096}, &calls_, &replay_);
    if (!journal.ok()) return journal.status();
    journal_ = *std::move(journal);
    std::vector<std::string> unknown;
    auto leftovers = directory_->FindLeftovers(SizeClasses(), &unknown);
    if (!leftovers.ok()) return leftovers.status();
    leftovers_ = *std::move(leftovers);
    Pool::Options options;
    options.segments.batch.drain = UnmapBatch::Drain::kInline;
    options.default_ttl = absl::ZeroDuration();
    pool_ = std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &random_,
                                   options, journal_.get());
    for (const HolderId id : {kAlice, kBob}) {
      pool_->AddHolder({id, PidOf(id), getuid(), "client", false, 10 + id});
    }
    const absl::Status begun = journal_->Begin();
    if (!begun.ok()) return begun;
    std::vector<RecoveredLease> leases;
    for (const LeaseRecord& record : replay_.leases) {
      HolderId holder = 0;
      for (const HolderId id : alive) {
        if (record.holder_pid == PidOf(id)) holder = id;
      }
      leases.push_back({record, holder});
    }
    pool_->Recover(leases, replay_.last_generation,
                   std::exchange(leftovers_, {}));
    return absl::OkStatus();
  }

  SegmentDirectory& directory() { return *directory_; }
  Pool& pool() { return *pool_; }
  Journal& journal() { return *journal_; }

 private:
  static pid_t PidOf(HolderId id) { return static_cast<pid_t>(100 + id); }

  const std::string path_;
  SystemCalls& calls_;
  RandomSource& random_;
  const Clock& clock_;
  std::unique_ptr<SegmentDirectory> directory_;
  Journal::Replay replay_;
  std::unique_ptr<Journal> journal_;
  std::vector<Segment> leftovers_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_RESTART_DAEMON_LIFE_H_
