#include "tests/torture/fork_keeper.h"

#include <poll.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "tests/torture/report.h"
#include "tests/torture/stamp.h"

namespace warmpool::torture {
namespace {

void Write(int output, const std::string& line) {
  (void)!write(output, line.data(), line.size());
}

}  // namespace

void KeepInFork(const ForkKeeping& keeping) {
  // The child of a process with threads may not allocate.
  Report report{.kind = Report::Kind::kForkHolds,
                .time = MonotonicClock::Get().Now(),
                .lease = keeping.lease};
  const std::string holds = report.ToLine() + "\n";
  report.kind = Report::Kind::kForkDone;
  const std::string done = report.ToLine() + "\n";
  report.kind = Report::Kind::kBreach;
  report.text = absl::StrCat("pages of lease ", keeping.lease.ToHex(),
                             " changed while a forked child had them mapped");
  const std::string breach = report.ToLine() + "\n";
  const int milliseconds =
      static_cast<int>(absl::ToInt64Milliseconds(keeping.keep_for));

  if (fork() != 0) return;
  Write(keeping.output, holds);
  pollfd polled{.fd = keeping.lifeline, .events = 0, .revents = 0};
  poll(&polled, 1, milliseconds);
  if (FindWrongPage(keeping.bytes, keeping.lease, keeping.generation)) {
    Write(keeping.output, breach);
  }
  Write(keeping.output, done);
  _exit(0);
}

}  // namespace warmpool::torture
