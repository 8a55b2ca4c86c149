// UnmapBatch: takes cold segments and ends them together (munmap, unlink,
// close). The only place where anything ends: nobody else can see the calls.
//
// Segments of kMinBatchedBytes and more wait until an add brings the bytes
// waiting to the threshold or above (a crossing). The adder at that moment
// hands all that waits over as one batch, so the number of batches does not
// depend on how fast they are ended. Ending a batch is a flush. Smaller
// segments are ended at once, by the caller of Add.
//
// Thread-safe. Its lock is never held over a system call.
// Invariants: bytes waiting are below the threshold between calls; every block
// added is waiting, handed over, being ended, or was flushed.
#ifndef WARMPOOL_CORE_ENGINE_UNMAP_BATCH_H_
#define WARMPOOL_CORE_ENGINE_UNMAP_BATCH_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/idle_thread.h"
#include "core/base/latency_histogram.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

class UnmapBatch {
 public:
  static constexpr uint64_t kMinBatchedBytes = 64 * kKiB;
  static constexpr uint64_t kDefaultThresholdBytes = 4 * kMiB;
  // Some milliseconds of work: a Flush waits for one that was begun, which may
  // take a hundred times as long on a busy machine.
  static constexpr uint64_t kMaxIdleCloseBytes = 64 * kMiB;

  // Who ends the batches that are handed over. Where the system has no thread
  // to give, it is the adder.
  enum class Drain {
    // A thread of its own.
    kThread,
    // The same, but files of up to kMaxIdleCloseBytes are closed, whereby the
    // kernel frees their pages, on an IdleThread: at the cost of nobody who
    // wants a processor. A Flush takes over what that has not begun.
    kIdleThread,
    // The adder that crosses the threshold, before its Add returns.
    kInline,
  };

  // How the mappings of a batch are unmapped. All but kRuns are there to be
  // measured against it (tests/bench).
  enum class Unmap {
    // One munmap for each run of neighbours.
    kRuns,
    // One munmap for each block.
    kEach,
    // One process_madvise(MADV_DONTNEED) for all pages, then one munmap for
    // each block.
    kAdviseAll,
    // MADV_FREE on each block, then kRuns.
    kLazyFree,
  };

  struct Options {
    Drain drain = Drain::kThread;
    Unmap unmap = Unmap::kRuns;
    // 0: every block is a batch of its own.
    uint64_t threshold_bytes = kDefaultThresholdBytes;
    // What has waited for so long is handed over by HandOverAged. Infinite:
    // it waits for a crossing or Flush.
    absl::Duration max_age = absl::InfiniteDuration();
  };

  // Flushes are counted by their blocks: up to 1, 2, 4, ... 1024, and more.
  static constexpr size_t kFlushSizes = 12;

  struct Counts {
    uint64_t blocks_added = 0;
    uint64_t bytes_added = 0;
    uint64_t crossings = 0;
    uint64_t flushes = 0;
    uint64_t blocks_flushed = 0;
    uint64_t largest_flush_blocks = 0;
    // Flushes of up to 2^i blocks, and more than 2^(i-1).
    std::array<uint64_t, kFlushSizes> flush_sizes{};
    uint64_t small_blocks_ended = 0;
    // At this moment: added and not yet flushed.
    uint64_t blocks_waiting = 0;
    // munmap, open, unlink, truncate and close calls that failed.
    uint64_t failed_calls = 0;
  };

  // Called with the segments that have ended together, empty by then but for
  // their bytes and tags, on the thread that ended them and under no lock of
  // this object.
  using EndedCallback = std::function<void(absl::Span<const Segment> ended)>;

  // `calls` must outlive this.
  UnmapBatch(SystemCalls* calls, const Options& options,
             EndedCallback on_ended = nullptr);
  // Flushes.
  ~UnmapBatch();

  // `proven_unused`: nobody else has the segment, as the proof showed. A file
  // that has another name once its own is gone is then truncated, or its pages
  // would outlive it uncounted. In use, it would cost its users their lives.
  void Add(Segment segment, absl::Time now, bool proven_unused = false);

  // Ends all that was added before the call; returns when it has ended.
  void Flush();

  // Unmaps and closes a segment at once but leaves its file to a later daemon.
  void Detach(Segment segment);

  // Hands over what waits if its oldest block has waited for max_age. Returns
  // when to come back, InfiniteFuture if nothing waits.
  absl::Time HandOverAged(absl::Time now);

  Counts counts() const;
  // How long flushes took, from the first system call to the last, those of an
  // IdleThread among them: on a busy machine it waits for its turn.
  const LatencyHistogram& flush_latency() const { return flush_latency_; }
  void CheckInvariants() const;

 private:
  using Blocks = std::vector<Segment>;
  // Addresses to unmap.
  struct Range {
    std::byte* begin;
    std::byte* end;
  };

  struct OpenFile {
    int fd;
    uint64_t bytes;
  };

  bool EndsInline() const { return !drainer_.running(); }
  // Moves what waits to the batches handed over.
  void HandOverLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the oldest batch handed over; false if there was none. `idle`: what
  // closes its files, or null.
  bool EndOneBatch(IdleThread* idle = nullptr);
  // Makes the system calls that end segments: their mappings together, then
  // each one's file, then the descriptors. Leaves the segments empty.
  void End(absl::Span<Segment> blocks, bool unlink, IdleThread* idle);
  void CloseAll(absl::Span<const OpenFile> files, IdleThread* idle);
  void EndMappings(std::vector<Range> ranges);
  // The descriptor of its file, or a negative number; opens the file if it is
  // proven unused, to take away its pages.
  int DescriptorOf(const Segment::Parts& parts, bool proven_unused);
  // `fd`: the file, open; negative where it is not.
  void EndFile(const Segment::Parts& parts, int fd, bool proven_unused);
  void UnmapEach(const std::vector<Range>& ranges);
  void CountFailure(int result);
  void DrainerMain();

  SystemCalls& calls_;
  const Options options_;
  const EndedCallback on_ended_;

  mutable Mutex mutex_;
  CondVar handed_over_condition_;
  CondVar ended_condition_;
  Blocks waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time oldest_added_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::deque<Blocks> handed_over_ ABSL_GUARDED_BY(mutex_);
  // Number of the next batch to be taken up, and of those being ended.
  uint64_t next_batch_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<uint64_t> being_ended_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  LatencyHistogram flush_latency_;
  // Calls of Flush under way. Read where no lock may be taken.
  std::atomic<int> flushers_ = 0;
  Thread drainer_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_UNMAP_BATCH_H_
