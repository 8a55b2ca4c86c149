#include "core/memory/pages/populate.h"

#include <sys/mman.h>

#include <algorithm>

#include "core/memory/pages/slices.h"
#include "core/memory/size_class.h"

// Debian 12's libc has it, older ones do not.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace warmpool {
namespace {

// What one fault enters: the kernel's default.
constexpr size_t kFaultAround = 64 * kKiB;
// What a thread takes on at a time: pages that share a page table, and its
// lock.
constexpr size_t kSliceBytes = kHugePageSize;

// How to have small pages entered.
struct Way {
  // Of madvise(2).
  int advice;
  // What is asked for at a time, and how far it is from one to the next.
  size_t bytes;
  size_t step_bytes;
};

Way WayFor(bool writable, PageState state) {
  if (state == PageState::kWritten) {
    return {MADV_POPULATE_READ, kPageSize, kFaultAround};
  }
  return {writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ, kSliceBytes,
          kSliceBytes};
}

// Whether to go on.
bool EnterSmall(SystemCalls& calls, const Way& way, std::byte* begin,
                std::byte* end) {
  for (; begin < end; begin += way.step_bytes) {
    const auto bytes = std::min(way.bytes, static_cast<size_t>(end - begin));
    if (calls.Advise(begin, bytes, way.advice) < 0) return false;
  }
  // A fault-around begins at a multiple of its length, wherever the fault was:
  // the end may lie in another one.
  return way.bytes == way.step_bytes ||
         calls.Advise(end - way.bytes, way.bytes, way.advice) == 0;
}

}  // namespace

void Populate(SystemCalls& calls, const Segment& segment, bool writable,
              PageState state) {
  std::byte* begin = segment.data();
  size_t bytes = segment.bytes();
  if (segment.page_bytes() == kHugePageSize) {
    const size_t huge = bytes / kHugePageSize * kHugePageSize;
    if (huge > 0 && calls.Advise(begin, huge, MADV_POPULATE_READ) < 0) return;
    begin += huge;
    bytes -= huge;
  }
  const Way way = WayFor(writable, state);
  const size_t threads = bytes < kManyThreadsBytes ? 1 : kMaxPopulateThreads;
  ForSlices(bytes, kSliceBytes, threads, [&](size_t offset, size_t slice) {
    return EnterSmall(calls, way, begin + offset, begin + offset + slice);
  });
}

}  // namespace warmpool
