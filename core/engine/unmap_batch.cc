#include "core/engine/unmap_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/memory/directory/descriptor_cache.h"
#include "core/memory/kernel/ending_calls.h"
#include "core/memory/kernel/retry.h"
#include "core/memory/pages/reopen.h"

namespace warmpool {
namespace {

// The index in Counts::flush_sizes.
size_t FlushSizeOf(size_t blocks) {
  const auto doublings = static_cast<size_t>(std::bit_width(blocks - 1));
  return std::min(doublings, UnmapBatch::kFlushSizes - 1);
}

}  // namespace

UnmapBatch::UnmapBatch(SystemCalls* calls, const Options& options,
                       EndedCallback on_ended)
    : calls_(*calls), options_(options), on_ended_(std::move(on_ended)) {
  if (options_.drain != Drain::kInline) {
    drainer_.Start("wp-batch", [this] { DrainerMain(); }).IgnoreError();
  }
}

UnmapBatch::~UnmapBatch() {
  Flush();
  if (EndsInline()) return;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  handed_over_condition_.NotifyAll();
  drainer_.Join();
}

void UnmapBatch::Add(Segment segment, absl::Time now, bool proven_unused) {
  const uint64_t bytes = segment.bytes();
  segment.proven_unused_ = proven_unused;
  if (bytes < kMinBatchedBytes) {
    const absl::Span<Segment> alone = absl::MakeSpan(&segment, 1);
    End(alone, /*unlink=*/true, /*idle=*/nullptr);
    {
      MutexLock lock(&mutex_);
      ++counts_.small_blocks_ended;
    }
    if (on_ended_) on_ended_(alone);
    return;
  }
  bool crossed = false;
  {
    MutexLock lock(&mutex_);
    ++counts_.blocks_added;
    counts_.bytes_added += bytes;
    if (waiting_.empty()) oldest_added_ = now;
    waiting_.push_back(std::move(segment));
    waiting_bytes_ += bytes;
    crossed = waiting_bytes_ >= options_.threshold_bytes;
    if (crossed) {
      ++counts_.crossings;
      HandOverLocked();
    }
  }
  if (crossed && EndsInline()) EndOneBatch();
}

void UnmapBatch::Flush() {
  ++flushers_;
  const absl::Cleanup leave = [this] { --flushers_; };
  {
    MutexLock lock(&mutex_);
    HandOverLocked();
  }
  // Helps rather than waits for the drainer's turn: the caller needs the bytes.
  while (EndOneBatch()) {
  }
  MutexLock lock(&mutex_);
  const uint64_t later_batch = next_batch_;
  while (!being_ended_.empty() && *being_ended_.begin() < later_batch) {
    ended_condition_.Wait(&mutex_);
  }
}

absl::Time UnmapBatch::HandOverAged(absl::Time now) {
  bool aged = false;
  absl::Time next = absl::InfiniteFuture();
  {
    MutexLock lock(&mutex_);
    if (waiting_.empty()) return next;
    aged = oldest_added_ + options_.max_age <= now;
    if (aged) {
      HandOverLocked();
    } else {
      next = oldest_added_ + options_.max_age;
    }
  }
  if (aged && EndsInline()) EndOneBatch();
  return next;
}

UnmapBatch::Counts UnmapBatch::counts() const {
  MutexLock lock(&mutex_);
  Counts counts = counts_;
  counts.blocks_waiting = counts.blocks_added - counts.blocks_flushed;
  return counts;
}

void UnmapBatch::HandOverLocked() {
  if (waiting_.empty()) return;
  handed_over_.push_back(std::exchange(waiting_, Blocks()));
  waiting_bytes_ = 0;
  oldest_added_ = absl::InfiniteFuture();
  handed_over_condition_.NotifyOne();
}

bool UnmapBatch::EndOneBatch(IdleThread* idle) {
  Blocks blocks;
  uint64_t batch = 0;
  {
    MutexLock lock(&mutex_);
    if (handed_over_.empty()) return false;
    blocks = std::move(handed_over_.front());
    handed_over_.pop_front();
    batch = next_batch_++;
    being_ended_.insert(batch);
  }
  const absl::Time begun = MonotonicClock::Get().Now();
  End(absl::MakeSpan(blocks), /*unlink=*/true, idle);
  flush_latency_.Record(MonotonicClock::Get().Now() - begun);
  if (on_ended_) on_ended_(blocks);
  {
    MutexLock lock(&mutex_);
    being_ended_.erase(batch);
    ++counts_.flushes;
    counts_.blocks_flushed += blocks.size();
    ++counts_.flush_sizes[FlushSizeOf(blocks.size())];
    counts_.largest_flush_blocks =
        std::max<uint64_t>(counts_.largest_flush_blocks, blocks.size());
  }
  ended_condition_.NotifyAll();
  return true;
}

void UnmapBatch::Detach(Segment segment) {
  End(absl::MakeSpan(&segment, 1), /*unlink=*/false, /*idle=*/nullptr);
}

void UnmapBatch::End(absl::Span<Segment> blocks, bool unlink,
                     IdleThread* idle) {
  std::vector<Range> ranges;
  std::vector<Segment::Parts> all_parts;
  all_parts.reserve(blocks.size());
  for (Segment& segment : blocks) {
    all_parts.push_back(segment.TakeParts());
    const Segment::Parts& parts = all_parts.back();
    if (parts.reservation == nullptr) continue;
    std::byte* const begin = static_cast<std::byte*>(parts.reservation);
    ranges.push_back({begin, begin + parts.reservation_bytes});
  }
  EndMappings(std::move(ranges));
  std::vector<OpenFile> files;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Segment::Parts& parts = all_parts[i];
    const bool proven_unused = blocks[i].proven_unused_;
    const int fd = DescriptorOf(parts, unlink && proven_unused);
    if (unlink && !parts.file_name.empty()) EndFile(parts, fd, proven_unused);
    if (fd >= 0) files.push_back({fd, blocks[i].bytes()});
  }
  CloseAll(files, idle);
}

void UnmapBatch::CloseAll(absl::Span<const OpenFile> files, IdleThread* idle) {
  std::vector<int> results;
  results.reserve(files.size());
  const auto close_next = [&] {
    results.push_back(calls_.Close(files[results.size()].fd));
  };
  const auto may_idle = [&] {
    return results.size() < files.size() && flushers_ == 0 &&
           files[results.size()].bytes <= kMaxIdleCloseBytes;
  };
  if (idle != nullptr && may_idle()) {
    idle->Run([&] {
      while (may_idle()) close_next();
    });
  }
  while (results.size() < files.size()) close_next();
  for (const int result : results) CountFailure(result);
}

int UnmapBatch::DescriptorOf(const Segment::Parts& parts, bool proven_unused) {
  if (parts.descriptors == nullptr) return parts.fd;
  const int kept = parts.descriptors->Take(parts.descriptor_key);
  if (kept >= 0 || !proven_unused) return kept;
  // By its name, while it has it. Another file that has the name by now is not
  // truncated.
  const int fd = Reopen(calls_, parts, O_RDWR);
  if (fd != -ENOENT) CountFailure(fd);
  return fd;
}

void UnmapBatch::EndFile(const Segment::Parts& parts, int fd,
                         bool proven_unused) {
  CountFailure(RetryOnInterrupt([&] {
    return calls_.Ending().Unlink(parts.directory_fd, parts.file_name);
  }));
  if (!proven_unused || fd < 0) return;
  // Afterwards, so that it shows a hard link, and a name that its client gave
  // it in place of ours, alike.
  FileState state;
  const int known = RetryOnInterrupt([&] { return calls_.State(fd, &state); });
  if (known >= 0 && state.links == 0) return;
  CountFailure(RetryOnInterrupt([&] { return calls_.Ending().Truncate(fd); }));
}

void UnmapBatch::EndMappings(std::vector<Range> ranges) {
  if (ranges.empty()) return;
  switch (options_.unmap) {
    case Unmap::kEach: return UnmapEach(ranges);
    case Unmap::kAdviseAll: {
      std::vector<iovec> pages;
      for (const Range& range : ranges) {
        pages.push_back(
            {range.begin, static_cast<size_t>(range.end - range.begin)});
      }
      CountFailure(calls_.Ending().FreePages(pages));
      return UnmapEach(ranges);
    }
    case Unmap::kLazyFree:
      for (const Range& range : ranges) {
        CountFailure(
            calls_.Advise(range.begin, range.end - range.begin, MADV_FREE));
      }
      break;
    case Unmap::kRuns: break;
  }
  // The page tables of a run are walked, and the TLB flushed, once.
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> runs = {ranges.front()};
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].begin == runs.back().end) {
      runs.back().end = ranges[i].end;
    } else {
      runs.push_back(ranges[i]);
    }
  }
  UnmapEach(runs);
}

void UnmapBatch::UnmapEach(const std::vector<Range>& ranges) {
  for (const Range& range : ranges) {
    CountFailure(calls_.Ending().Unmap(range.begin, range.end - range.begin));
  }
}

void UnmapBatch::CountFailure(int result) {
  if (result >= 0) return;
  MutexLock lock(&mutex_);
  ++counts_.failed_calls;
}

void UnmapBatch::DrainerMain() {
  std::optional<IdleThread> idle;
  if (options_.drain == Drain::kIdleThread) idle.emplace();
  for (;;) {
    while (EndOneBatch(idle.has_value() ? &*idle : nullptr)) {
    }
    MutexLock lock(&mutex_);
    while (handed_over_.empty() && !stopping_) {
      handed_over_condition_.Wait(&mutex_);
    }
    if (handed_over_.empty()) return;
  }
}

void UnmapBatch::CheckInvariants() const {
  MutexLock lock(&mutex_);
  uint64_t waiting_bytes = 0;
  for (const Segment& segment : waiting_) waiting_bytes += segment.bytes();
  WARMPOOL_CHECK(waiting_bytes == waiting_bytes_,
                 "bytes waiting do not add up");
  WARMPOOL_CHECK(waiting_.empty() || waiting_bytes_ < options_.threshold_bytes,
                 "a crossing was not handed over");
  size_t pending = waiting_.size();
  for (const Blocks& blocks : handed_over_) pending += blocks.size();
  WARMPOOL_CHECK(counts_.blocks_flushed + pending <= counts_.blocks_added,
                 "a block was counted twice");
  if (being_ended_.empty()) {
    WARMPOOL_CHECK(counts_.blocks_flushed + pending == counts_.blocks_added,
                   "a block was lost");
  }
}

}  // namespace warmpool
