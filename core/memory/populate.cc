#include "core/memory/populate.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

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
// What a thread takes on at a time: pages that share a page table, and its lock.
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

// A thread of the library's that takes no signal which this process handles
// elsewhere. False: the system has none to give.
template <typename Work>
bool StartQuietly(const Work& work, std::vector<std::thread>* threads) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  try {
    threads->emplace_back(work);
  } catch (const std::system_error&) {
    started = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

// Slice by slice, by this thread and others.
void EnterSmallTogether(SystemCalls& calls, const Way& way, std::byte* begin,
                        size_t bytes) {
  std::atomic<size_t> next = 0;
  const auto work = [&calls, &way, &next, begin, bytes] {
    for (;;) {
      const size_t from = next.fetch_add(kSliceBytes);
      if (from >= bytes) return;
      const size_t to = std::min(bytes, from + kSliceBytes);
      if (!EnterSmall(calls, way, begin + from, begin + to)) return;
    }
  };
  const size_t processors = std::thread::hardware_concurrency();
  std::vector<std::thread> others;
  while (others.size() + 1 < std::min(processors, kMaxPopulateThreads) &&
         StartQuietly(work, &others)) {
  }
  work();
  for (std::thread& other : others) other.join();
}

}  // namespace

void Populate(SystemCalls& calls, const Segment& segment, bool writable,
              PageState state) {
  std::byte* begin = segment.data();
  std::byte* const end = begin + segment.bytes();
  if (segment.page_bytes() == kHugePageSize) {
    const size_t huge = segment.bytes() / kHugePageSize * kHugePageSize;
    if (huge > 0 && calls.Advise(begin, huge, MADV_POPULATE_READ) < 0) return;
    begin += huge;
  }
  const Way way = WayFor(writable, state);
  const auto bytes = static_cast<size_t>(end - begin);
  if (bytes < kManyThreadsBytes) {
    EnterSmall(calls, way, begin, end);
  } else {
    EnterSmallTogether(calls, way, begin, bytes);
  }
}

}  // namespace warmpool
