#include "client/rpc/fork_guard.h"

#include <pthread.h>
#include <sys/mman.h>

#include <new>

#include "core/memory/size_class.h"

namespace warmpool {
namespace {

// The last number given in this process or those that it was forked from, by
// any guard.
std::atomic<uint64_t> last_number{0};

// In place of the page, for all guards that have none.
std::atomic<uint64_t> cleared_by_handler{0};

std::atomic<uint64_t>* WordClearedByHandler() {
  [[maybe_unused]] static const int registered = pthread_atfork(
      nullptr, nullptr,
      [] { cleared_by_handler.store(0, std::memory_order_relaxed); });
  return &cleared_by_handler;
}

// Null: there is no page, or the kernel would not clear it.
std::atomic<uint64_t>* WordClearedByKernel(SystemCalls& calls) {
  const int64_t page = calls.Map(nullptr, kPageSize, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (page < 0) return nullptr;
  void* const address = reinterpret_cast<void*>(page);
  if (calls.Advise(address, kPageSize, MADV_WIPEONFORK) < 0) return nullptr;
  return new (address) std::atomic<uint64_t>(0);
}

}  // namespace

ForkGuard& ForkGuard::Get() {
  static ForkGuard* const guard = new ForkGuard(&LinuxSystemCalls::Get());
  return *guard;
}

ForkGuard::ForkGuard(SystemCalls* calls) : word_(WordClearedByKernel(*calls)) {
  if (word_ == nullptr) word_ = WordClearedByHandler();
}

ForkMark ForkGuard::Mark() {
  uint64_t number = word_->load(std::memory_order_relaxed);
  if (number == 0) {
    const uint64_t next =
        last_number.fetch_add(1, std::memory_order_relaxed) + 1;
    // Another thread may have been first: then its number it is.
    if (word_->compare_exchange_strong(number, next,
                                       std::memory_order_relaxed)) {
      number = next;
    }
  }
  return ForkMark(word_, number);
}

bool ForkGuard::has_page() const { return word_ != &cleared_by_handler; }

}  // namespace warmpool
