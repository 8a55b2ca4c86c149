#include "server/run_daemon.h"

#include <grpc/support/log.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/base/clock.h"
#include "core/base/unix_target.h"
#include "google/protobuf/stubs/logging.h"
#include "server/daemon.h"
#include "server/daemon_flags.h"
#include "server/daemon_signals.h"
#include "server/log/daemon_log.h"
#include "server/log/log_limit.h"
#include "server/log/log_value.h"
#include "server/service/service_notice.h"
#include "server/transport/passed_sockets.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// Takes gRPC's settings out of the environment, but for those of its log: with
// some values of GRPC_POLL_STRATEGY it aborts, and the others are meant for a
// program that the user knows better. Returns their names. REQUIRES: no other
// thread exists.
std::vector<std::string> ClearGrpcSettings() {
  std::vector<std::string> cleared;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string name(
        absl::string_view(*variable).substr(0, std::strcspn(*variable, "=")));
    if (absl::StartsWith(name, "GRPC_") && name != "GRPC_VERBOSITY" &&
        name != "GRPC_TRACE") {
      cleared.push_back(name);
    }
  }
  for (const std::string& name : cleared) unsetenv(name.c_str());
  return cleared;
}

// What libraries complain of can be caused by clients at will: a few lines a
// second from each place.
void LogForLibrary(const char* library, spdlog::level::level_enum level,
                   const char* file, int line, absl::string_view text) {
  static auto* const limit = new LogLimit(&MonotonicClock::Get());
  const std::string source = absl::StrCat(file, ":", line);
  if (const auto suppressed = limit->Pass(source)) {
    spdlog::log(level, "{} complains source={} text={}{}", library, source,
                LogValue(text), *suppressed);
  }
}

void LogForGrpc(gpr_log_func_args* said) {
  LogForLibrary("gRPC",
                said->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn
                                                         : spdlog::level::debug,
                said->file, said->line, said->message);
}

// By itself it would write to standard error, and wait for the reader.
void LogForProtobuf(google::protobuf::LogLevel level, const char* file,
                    int line, const std::string& message) {
  LogForLibrary("protobuf",
                level >= google::protobuf::LOGLEVEL_ERROR
                    ? spdlog::level::warn
                    : spdlog::level::debug,
                file, line, message);
}

int Fail(const absl::Status& status) {
  LogFatal(status.message());
  return 1;
}

// Takes the socket that the service manager passed, if it is the one to serve
// on.
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
      spdlog::warn(
          "the service manager passed another socket than that of "
          "--listen, not served passed={} listen={}",
          LogValue(socket.path), LogValue(options->listen));
    }
  }
}

// Until it is stopped. Everything that may log has ended when this returns.
int Serve(const DaemonOptions& options, const sigset_t& signals) {
  // Outlives the thread that stops it.
  std::unique_ptr<Daemon> daemon;
  SignalThread signal_thread(signals);
  const absl::Status started = signal_thread.Start();
  if (!started.ok()) return Fail(started);
  absl::StatusOr<std::unique_ptr<Daemon>> created = Daemon::Create(options);
  if (!created.ok()) return Fail(created.status());
  daemon = *std::move(created);
  signal_thread.OnStop([&daemon] { daemon->RequestStop(); });
  NoticeReady(absl::StrCat("serving ", options.listen));
  daemon->Wait();
  return 0;
}

}  // namespace

int RunDaemon(int argc, char** argv,
              const std::function<void(DaemonOptions*)>& adjust) {
  IgnoreSignalsOfCalls();
  // The mode that each file is made with is the one that it gets.
  umask(077);
  // No other process of this uid may trace the daemon or open its descriptors
  // through /proc: it has everybody's segments open.
  prctl(PR_SET_DUMPABLE, 0);
  // Debian's Abseil looks for deadlocks in gRPC at every lock, which is for
  // debugging and costs some per cent of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // By default there are eight a processor, and each keeps what was freed in
  // it: whoever makes every thread busy would make the daemon large for good.
  mallopt(M_ARENA_MAX, 2);
  // Until here any signal may end the process: it has done nothing.
  absl::StatusOr<DaemonOptions> options = ParseDaemonFlags(argc, argv);
  if (!options.ok()) return Fail(options.status());
  if (adjust) adjust(&*options);
  options->on_stopping = [timeout = options->drain_timeout] {
    NoticeStopping(timeout);
  };
  options->watchdog_period = WatchdogPeriod();
  options->on_alive = NoticeAlive;
  const std::vector<std::string> cleared = ClearGrpcSettings();
  const sigset_t signals = BlockSignals();
  // Before gRPC has anything to say.
  const absl::Status logs = StartDaemonLog();
  if (!logs.ok()) return Fail(logs);
  for (const std::string& name : cleared) {
    spdlog::warn("variable of the environment ignored name={}", LogValue(name));
  }
  gpr_set_log_function(LogForGrpc);
  google::protobuf::SetLogHandler(LogForProtobuf);
  ChooseSocket(TakePassedSockets(), &*options);
  const int exit_code = Serve(*options, signals);
  FlushDaemonLog();
  return exit_code;
}

}  // namespace warmpool
