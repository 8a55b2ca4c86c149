#include "server/run_daemon.h"

#include <grpc/support/log.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/clock.h"
#include "core/base/thread.h"
#include "core/base/unix_target.h"
#include "server/daemon.h"
#include "server/daemon_flags.h"
#include "server/log_limit.h"
#include "server/log_value.h"
#include "server/passed_sockets.h"
#include "server/service_notice.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// Blocks the signals that stop the daemon, in this thread and all it starts.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Passes the signals on to a daemon, which must outlive this.
class SignalThread {
 public:
  // `thread` was prepared.
  SignalThread(const sigset_t& signals, Daemon* daemon, Thread thread)
      : signals_(signals), thread_(std::move(thread)) {
    thread_.Run([this, daemon] {
      for (int number; sigwait(&signals_, &number) == 0 && !ended_;) {
        daemon->RequestStop();
      }
    });
  }
  // Signals that come later stay blocked.
  ~SignalThread() {
    ended_ = true;
    // No other thread waits for it.
    kill(getpid(), SIGTERM);
    thread_.Join();
  }

 private:
  const sigset_t signals_;
  std::atomic<bool> ended_ = false;
  Thread thread_;
};

// What gRPC complains of can be caused by clients at will: a few lines a second.
void LogForGrpc(gpr_log_func_args* said) {
  static auto* const limit = new LogLimit(&MonotonicClock::Get());
  const std::string source = absl::StrCat(said->file, ":", said->line);
  if (const auto suppressed = limit->Pass(source)) {
    spdlog::log(said->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn
                                                         : spdlog::level::debug,
                "gRPC complains source={} text={}{}", source,
                LogValue(said->message), *suppressed);
  }
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "warmpoold: %s\n",
               std::string(status.message()).c_str());
  return 1;
}

// Takes the socket that the service manager passed, if it is the one to serve on.
void ChooseSocket(std::vector<PassedSocket> passed, DaemonOptions* options) {
  if (options->listen.empty()) {
    options->listen = passed.empty()
                          ? DefaultTarget()
                          : absl::StrCat("unix:", passed.front().path);
  }
  const absl::StatusOr<std::string> path = SocketPathOf(options->listen);
  for (PassedSocket& socket : passed) {
    if (path.ok() && socket.path == *path && options->passed_socket < 0) {
      options->passed_socket = socket.fd.Release();
    } else {
      spdlog::warn("the service manager passed another socket than that of "
                   "--listen, not served passed={} listen={}",
                   LogValue(socket.path), LogValue(options->listen));
    }
  }
}

}  // namespace

int RunDaemon(int argc, char** argv,
              const std::function<void(DaemonOptions*)>& adjust) {
  // No other process of this uid may trace the daemon or open its descriptors
  // through /proc: it has everybody's segments open.
  prctl(PR_SET_DUMPABLE, 0);
  // Debian's Abseil looks for deadlocks in gRPC at every lock, which is for
  // debugging and costs some per cent of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Logs go to stderr, where service managers look for them.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("warmpoold"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  // By default there are eight a processor, and each keeps what was freed in it:
  // whoever makes every thread busy would make the daemon large for good.
  mallopt(M_ARENA_MAX, 2);
  gpr_set_log_function(LogForGrpc);
  absl::StatusOr<DaemonOptions> options = ParseDaemonFlags(argc, argv);
  if (!options.ok()) return Fail(options.status());
  if (adjust) adjust(&*options);
  ChooseSocket(TakePassedSockets(), &*options);

  options->on_stopping = [timeout = options->drain_timeout] {
    NoticeStopping(timeout);
  };
  options->watchdog_period = WatchdogPeriod();
  options->on_alive = NoticeAlive;
  const sigset_t signals = BlockStopSignals();
  Thread waits_for_signals;
  const absl::Status prepared = waits_for_signals.Prepare("wpd-signals");
  if (!prepared.ok()) return Fail(prepared);
  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Create(*options);
  if (!daemon.ok()) return Fail(daemon.status());

  const SignalThread signal_thread(signals, daemon->get(),
                                   std::move(waits_for_signals));
  NoticeReady(absl::StrCat("serving ", options->listen));
  (*daemon)->Wait();
  return 0;
}

}  // namespace warmpool
