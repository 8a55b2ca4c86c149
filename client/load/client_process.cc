#include "client/load/client_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "client/load/client_event.h"
#include "client/load/framed_message.h"
#include "client/load/load_client.h"
#include "client/load/stop_flag.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/thread.h"

namespace warmpool {
namespace {

constexpr int kProgressMilliseconds = 100;

enum class Command { kStart, kStop };

Command ReadCommand() {
  char byte;
  ssize_t count;
  do {
    count = read(STDIN_FILENO, &byte, 1);
  } while (count < 0 && errno == EINTR);
  return count == 1 ? Command::kStart : Command::kStop;
}

void WriteProgress(uint64_t leases) {
  load::ClientEvent event;
  event.mutable_progress()->set_leases(leases);
  WriteFramed(STDOUT_FILENO, event);
}

// Tells the progress until `done` is readable, and stops the run when told.
void Supervise(int done, const std::atomic<uint64_t>& progress,
               StopFlag& stop) {
  pollfd polled[] = {{.fd = done, .events = POLLIN, .revents = 0},
                     {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}};
  for (;;) {
    const int count = poll(polled, 2, kProgressMilliseconds);
    if (count < 0) continue;
    if (polled[0].revents != 0) return;
    if (polled[1].revents != 0 && ReadCommand() == Command::kStop) {
      stop.Stop();
      polled[1].fd = -1;
    }
    if (count == 0) WriteProgress(progress.load(std::memory_order_relaxed));
  }
}

}  // namespace

int RunClientProcess(const LoadOptions& options, int index) {
  // Ctrl-C in a terminal goes to every process; the load generator tells its
  // clients what it means.
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  const MonotonicClock& clock = MonotonicClock::Get();
  StopFlag stop(&clock);
  std::atomic<uint64_t> progress = 0;
  Measurement measured;

  const int done = eventfd(0, EFD_CLOEXEC);
  WARMPOOL_CHECK(done >= 0, "eventfd");
  LoadClient client(options, index, &clock);
  load::ClientEvent event;
  event.mutable_ready();
  WriteFramed(STDOUT_FILENO, event);
  if (ReadCommand() == Command::kStop) return 0;

  Thread runner;
  const absl::Status started = runner.Start("client", [&] {
    measured = client.Run(stop, progress);
    eventfd_write(done, 1);
  });
  if (!started.ok()) {
    std::fprintf(stderr, "loadgen: %s\n",
                 std::string(started.message()).c_str());
    return 1;
  }
  Supervise(done, progress, stop);
  runner.Join();
  close(done);
  *event.mutable_measurement() = ToParts(measured);
  return WriteFramed(STDOUT_FILENO, event) ? 0 : 1;
}

}  // namespace warmpool
