#include "core/memory/pages/slices.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "core/base/thread.h"

namespace warmpool {
namespace {

// False: the system has no thread to give. Not a Thread, which would look for
// the limit that was met.
template <typename Work>
bool TryStart(const Work& work, std::vector<std::thread>* threads) {
  const SignalsBlocked blocked;
  try {
    threads->emplace_back(work);
  } catch (const std::system_error&) {
    return false;
  }
  return true;
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
  while (others.size() + 1 < wanted && TryStart(work_on, &others)) {
  }
  work_on();
  for (std::thread& other : others) other.join();
  return going_on;
}

}  // namespace warmpool
