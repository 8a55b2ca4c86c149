#include "core/base/thread.h"

#include <pthread.h>

#include <atomic>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/check.h"
#include "core/base/met_limit.h"
#include "core/base/mutex.h"

namespace warmpool {
namespace {

// Stays set.
std::atomic<bool> was_refused{false};

}  // namespace

SignalsBlocked::SignalsBlocked() {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int raised_by_faults :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&blocked, raised_by_faults);
  }
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

SignalsBlocked::~SignalsBlocked() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

struct Thread::Handover {
  Mutex mutex;
  CondVar changed;
  bool decided ABSL_GUARDED_BY(mutex) = false;
  // Null: the thread is to end.
  std::function<void()> main ABSL_GUARDED_BY(mutex);

  void Decide(std::function<void()> what) {
    {
      MutexLock lock(&mutex);
      main = std::move(what);
      decided = true;
    }
    changed.NotifyOne();
  }

  std::function<void()> AwaitDecision() {
    MutexLock lock(&mutex);
    while (!decided) changed.Wait(&mutex);
    return std::move(main);
  }
};

Thread& Thread::operator=(Thread&& other) noexcept {
  WARMPOOL_CHECK(!thread_.joinable(), "a thread is moved onto another");
  handover_ = std::move(other.handover_);
  thread_ = std::move(other.thread_);
  running_ = std::exchange(other.running_, false);
  return *this;
}

absl::Status Thread::Prepare(const char* name) {
  if (thread_.joinable()) return absl::OkStatus();
  const SignalsBlocked blocked;
  auto handover = std::make_shared<Handover>();
  try {
    thread_ = std::thread([handover] {
      if (const std::function<void()> main = handover->AwaitDecision()) main();
    });
  } catch (const std::system_error&) {
    was_refused.store(true, std::memory_order_relaxed);
    return absl::ResourceExhaustedError(LimitMetByThread());
  }
  // Longer names are refused, and a thread does without.
  (void)pthread_setname_np(thread_.native_handle(), name);
  handover_ = std::move(handover);
  return absl::OkStatus();
}

void Thread::Run(std::function<void()> main) {
  WARMPOOL_CHECK(thread_.joinable() && !running_, "no thread was prepared");
  running_ = true;
  handover_->Decide(std::move(main));
}

absl::Status Thread::Start(const char* name, std::function<void()> main) {
  absl::Status prepared = Prepare(name);
  if (prepared.ok()) Run(std::move(main));
  return prepared;
}

void Thread::Join() {
  if (!thread_.joinable()) return;
  if (!running_) handover_->Decide(nullptr);
  thread_.join();
  running_ = false;
  handover_ = nullptr;
}

absl::Status CheckThreads(int threads) {
  std::vector<Thread> made(static_cast<size_t>(threads));
  for (Thread& thread : made) {
    absl::Status prepared = thread.Prepare("warmpool-check");
    if (!prepared.ok()) return prepared;
  }
  return absl::OkStatus();
}

bool ThreadWasRefused() { return was_refused.load(std::memory_order_relaxed); }

absl::Status RunOnThread(const char* name, const std::function<void()>& work) {
  Thread thread;
  return thread.Start(name, work);
}

}  // namespace warmpool
