#include "core/memory/slices.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace warmpool {
namespace {

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

size_t ThreadsFor(size_t slices, size_t max_threads) {
  const size_t processors = std::thread::hardware_concurrency();
  return std::min({processors, slices, max_threads});
}

}  // namespace

bool ForSlices(size_t bytes, size_t slice_bytes, size_t max_threads,
               SliceWork work) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> going_on = true;
  const auto work_on = [&] {
    while (going_on) {
      const size_t from = next.fetch_add(slice_bytes);
      if (from >= bytes) return;
      if (!work(from, std::min(slice_bytes, bytes - from))) going_on = false;
    }
  };
  const size_t slices = (bytes + slice_bytes - 1) / slice_bytes;
  const size_t wanted = ThreadsFor(slices, max_threads);
  std::vector<std::thread> others;
  while (others.size() + 1 < wanted && StartQuietly(work_on, &others)) {
  }
  work_on();
  for (std::thread& other : others) other.join();
  return going_on;
}

}  // namespace warmpool
