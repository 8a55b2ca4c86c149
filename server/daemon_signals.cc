#include "server/daemon_signals.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "server/log/log_limit.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// SIGXCPU: the limit of processor time is reached (RLIMIT_CPU); the kernel
// kills at the hard limit.
constexpr int kStopping[] = {SIGTERM, SIGINT, SIGQUIT, SIGXCPU};
// Others whose default action ends a process, but for those that a fault of the
// program raises. Real-time signals are more of these.
constexpr int kWithoutUse[] = {SIGHUP,    SIGUSR1, SIGUSR2, SIGALRM,
                               SIGVTALRM, SIGPROF, SIGPWR,  SIGSTKFLT};

bool IsIgnored(int number) {
  struct sigaction action;
  return sigaction(number, nullptr, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

std::string NameOf(int number) {
  const char* const name = sigabbrev_np(number);
  return name != nullptr ? absl::StrCat("SIG", name)
                         : absl::StrCat("SIGRTMIN+", number - SIGRTMIN);
}

}  // namespace

void IgnoreSignalsOfCalls() {
  for (const int number : {SIGPIPE, SIGXFSZ, SIGIO, SIGTTOU}) {
    signal(number, SIG_IGN);
  }
}

sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : kWithoutUse) sigaddset(&signals, number);
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
    sigaddset(&signals, number);
  }
  for (const int number : kStopping) {
    const bool from_keyboard = number == SIGINT || number == SIGQUIT;
    if (!from_keyboard || !IsIgnored(number)) sigaddset(&signals, number);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

SignalThread::~SignalThread() {
  if (!thread_.running()) return;
  ended_ = true;
  // No other thread waits for it.
  kill(getpid(), SIGTERM);
  thread_.Join();
}

absl::Status SignalThread::Start() {
  return thread_.Start("wpd-signals", [this] { Main(); });
}

void SignalThread::OnStop(std::function<void()> stop) {
  {
    MutexLock lock(&mutex_);
    stop_ = stop;
    if (early_stops_ == 0) return;
  }
  stop();
}

void SignalThread::Main() {
  siginfo_t signal;
  while (!ended_) {
    if (sigwaitinfo(&signals_, &signal) > 0 && !ended_) Take(signal);
  }
}

void SignalThread::Take(const siginfo_t& signal) {
  static auto* const limit = new LogLimit(&MonotonicClock::Get());
  const int number = signal.si_signo;
  const bool stops = absl::c_linear_search(kStopping, number);
  if (const auto suppressed = limit->Pass(stops ? "stops" : "without use")) {
    spdlog::info("signal signal={} does={} pid={} uid={}{}", NameOf(number),
                 stops ? "stop" : "nothing", signal.si_pid, signal.si_uid,
                 *suppressed);
  }
  if (stops) Stop(number);
}

void SignalThread::Stop(int number) {
  std::function<void()> stop;
  {
    MutexLock lock(&mutex_);
    stop = stop_;
    if (!stop && ++early_stops_ == 1) return;
  }
  if (stop) return stop();
  // The default action of these ends the process.
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  raise(number);
  // The first process of a pid namespace does not end by that.
  _exit(128 + number);
}

}  // namespace warmpool
