#include "client/tool/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/check.h"

namespace warmpool {
namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

int Open() {
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

}  // namespace

StopSignals::StopSignals() : fd_(Open()) {
  WARMPOOL_CHECK(fd_ >= 0, "signalfd");
}

StopSignals::~StopSignals() { close(fd_); }

bool StopSignals::Arrived() {
  signalfd_siginfo signal;
  if (read(fd_, &signal, sizeof(signal)) != sizeof(signal)) return false;
  // One thread that does not block them is enough for the default action.
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return true;
}

}  // namespace warmpool
