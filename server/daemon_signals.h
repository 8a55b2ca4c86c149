// Signals, as the daemon takes them. One thread waits for them; they are
// blocked in all others.
//
//   SIGTERM, SIGINT, SIGQUIT, SIGXCPU   stop the daemon in order
//   SIGHUP, SIGUSR1, SIGALRM, ...       nothing but a line in the log: there is
//                                       nothing to reload
//   SIGPIPE, SIGXFSZ, SIGIO, SIGTTOU    ignored: the call that failed tells
//   SIGSEGV, SIGABRT, ...               end the process: a fault of the program
//   SIGTSTP, SIGSTOP, SIGCONT           as for every process
#ifndef WARMPOOL_SERVER_DAEMON_SIGNALS_H_
#define WARMPOOL_SERVER_DAEMON_SIGNALS_H_

#include <signal.h>

#include <atomic>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

// Ignores SIGPIPE, SIGXFSZ, SIGIO and SIGTTOU in this process.
void IgnoreSignalsOfCalls();

// Blocks, in this thread and those that it starts, the signals that
// SignalThread waits for. Returns them. SIGINT and SIGQUIT are not among them
// where this process was started with them ignored, as a shell starts
// background jobs.
sigset_t BlockSignals();

// Waits for signals from Start on. Thread-safe.
class SignalThread {
 public:
  // `signals`: from BlockSignals.
  explicit SignalThread(const sigset_t& signals) : signals_(signals) {}
  // Signals that come later stay blocked.
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

  // RESOURCE_EXHAUSTED, naming the limit: there is no thread. Once.
  absl::Status Start();

  // Calls `stop` for each signal that stops, and at once for one that came
  // before this call: a start is not cut short. A second one before this call
  // ends the process, which is safe at every instant. `stop` must not wait and
  // must be callable until this is destroyed.
  void OnStop(std::function<void()> stop);

 private:
  void Main();
  void Take(const siginfo_t& signal);
  void Stop(int number);

  const sigset_t signals_;
  std::atomic<bool> ended_ = false;
  Mutex mutex_;
  // Stops that came before there was anything to stop.
  int early_stops_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void()> stop_ ABSL_GUARDED_BY(mutex_);
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_DAEMON_SIGNALS_H_
