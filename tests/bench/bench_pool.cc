// What a warm lease and its release cost the daemon's pool itself: the proof,
// the tables and the journal, without gRPC. Once with the journal and once
// without, and for each number of other leases that live meanwhile.
//
//   bazel-bin/tests/bench/bench_pool --benchmark_repetitions=5
//
// The segments are 4 KiB in a directory of the bench's own in /dev/shm: that
// of a warm lease does not matter, since nothing touches its pages.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "core/journal/journal.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/size_class.h"
#include "core/pool/pool.h"

namespace warmpool {
namespace {

constexpr HolderId kHolder = 1;
constexpr uint64_t kBytes = 4 * kKiB;

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench_pool: %s\n", status.ToString().c_str());
  std::exit(1);
}

// A pool on a directory of its own, which goes with it.
class BenchedPool {
 public:
  explicit BenchedPool(bool journalled)
      : path_(absl::StrCat("/dev/shm/warmpool-bench-", getpid())) {
    auto directory =
        SegmentDirectory::Open(path_, "bench_pool", &calls_, &random_, {});
    Check(directory.status());
    directory_ = *std::move(directory);
    if (journalled) {
      auto journal = Journal::Open(directory_->private_directory_fd(), "bench",
                                   Journal::Options(), &calls_, &replay_);
      Check(journal.status());
      journal_ = *std::move(journal);
      Check(journal_->Begin());
    }
    Pool::Options options;
    options.segments.capacity_bytes = kGiB;
    options.segments.bigcache.max_bytes = kGiB;
    options.segments.prove_within = absl::Milliseconds(20);
    pool_ = std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &random_,
                                   options, journal_.get());
    Holder holder;
    holder.id = kHolder;
    holder.pid = getpid();
    holder.uid = geteuid();
    holder.command = "bench_pool";
    pool_->AddHolder(std::move(holder));
  }
  ~BenchedPool() {
    pool_->RemoveHolder(kHolder);
    if (journal_ != nullptr) pool_->EndJournal();
    pool_.reset();
    directory_.reset();
    std::filesystem::remove_all(path_);
  }

  LeaseRef Lease() {
    LeaseRequest request;
    request.bytes = kBytes;
    request.request_id = random_.Next();
    const absl::StatusOr<LeaseGrant> grant = pool_->Lease(kHolder, request);
    Check(grant.status());
    return {grant->id, grant->generation};
  }
  void Release(const LeaseRef& lease) {
    pool_->Release(kHolder, {lease}, /*revoke=*/false);
  }
  void Tick() { pool_->Tick(); }

 private:
  const std::string path_;
  LinuxSystemCalls calls_;
  BatchedRandom random_;
  const Clock& clock_ = MonotonicClock::Get();
  std::unique_ptr<SegmentDirectory> directory_;
  Journal::Replay replay_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Pool> pool_;
};

void BM_WarmPair(benchmark::State& state) {
  BenchedPool pool(/*journalled=*/state.range(0) != 0);
  for (int64_t i = 0; i < state.range(1); ++i) pool.Lease();
  pool.Release(pool.Lease());
  int64_t pairs = 0;
  for (auto _ : state) {
    pool.Release(pool.Lease());
    // As the daemon's own thread does: the journal is compacted meanwhile.
    if (++pairs % 1024 == 0) pool.Tick();
  }
}
BENCHMARK(BM_WarmPair)
    ->ArgNames({"journal", "other_leases"})
    ->ArgsProduct({{0, 1}, {0, 10'000}})
    ->Iterations(100'000);

}  // namespace
}  // namespace warmpool

BENCHMARK_MAIN();
