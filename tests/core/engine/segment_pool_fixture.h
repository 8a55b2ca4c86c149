// SegmentPoolFixture: a SegmentPool on a directory of the test's own.
#ifndef WARMPOOL_TESTS_CORE_ENGINE_SEGMENT_POOL_FIXTURE_H_
#define WARMPOOL_TESTS_CORE_ENGINE_SEGMENT_POOL_FIXTURE_H_

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "core/engine/segment_pool.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {

// A client that has a segment open though its lease has ended.
class Misbehaving {
 public:
  explicit Misbehaving(const std::string& path)
      : fd_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    EXPECT_GE(fd_, 0) << path;
  }
  Misbehaving(Misbehaving&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  ~Misbehaving() { Stop(); }

  void Stop() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

class SegmentPoolFixture : public DirectoryFixture {
 protected:
  // Batches are ended by their adder, so that a test sees each step's effect.
  static SegmentPool::Options InlineOptions() {
    SegmentPool::Options options;
    options.batch.drain = UnmapBatch::Drain::kInline;
    return options;
  }

  void Make(const SegmentPool::Options& options) {
    pool_.reset();
    pool_ = std::make_unique<SegmentPool>(directory_.get(), &calls_, &clock_,
                                          options);
  }

  absl::StatusOr<SegmentPool::Acquired> TryAcquire(uint64_t bytes,
                                                   uid_t owner = 1000) {
    auto acquired = pool_->Acquire({.owner = owner, .bytes = bytes});
    pool_->CheckInvariants();
    return acquired;
  }

  Segment Acquire(uint64_t bytes, uid_t owner = 1000) {
    SegmentPool::Acquired acquired = TryAcquire(bytes, owner).value();
    last_warmth_ = acquired.warmth;
    return std::move(acquired.segment);
  }

  void Return(Segment segment) {
    pool_->Return(std::move(segment));
    pool_->CheckInvariants();
  }

  absl::Time TickAfter(absl::Duration duration) {
    clock_.Advance(duration);
    const absl::Time next = pool_->Tick();
    pool_->CheckInvariants();
    return next;
  }

  Misbehaving Keep(const Segment& segment) {
    return Misbehaving(directory_->PathOf(segment));
  }

  // Gives the pages of a segment back to the filesystem, as a client may.
  void Tamper(const Segment& segment) {
    EXPECT_EQ(truncate(directory_->PathOf(segment).c_str(), 0), 0);
  }

  uint64_t In(ByteState state) const { return pool_->stats().ledger.in(state); }

  // What the directory's files take is what the pool says they do.
  void ExpectEveryByteAccountedFor() const {
    const ByteLedger ledger = pool_->stats().ledger;
    EXPECT_EQ(AllocatedBytes(path_),
              ledger.used() - ledger.in(ByteState::kOverhead));
  }

  FakeClock clock_;
  std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  std::unique_ptr<SegmentPool> pool_;
  Warmth last_warmth_ = Warmth::kFresh;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_ENGINE_SEGMENT_POOL_FIXTURE_H_
