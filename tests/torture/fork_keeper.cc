#include "tests/torture/fork_keeper.h"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <charconv>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "tests/torture/report.h"
#include "tests/torture/stamp.h"

namespace warmpool::torture {
namespace {

// A report's line but for the time, which it begins with.
std::string RestOfLine(const Report& report) {
  const std::string line = report.ToLine() + "\n";
  return line.substr(line.find(' '));
}

// In one piece, and with the time at which it is written.
void Write(int output, const std::string& rest) {
  char time[32];
  const std::to_chars_result end =
      std::to_chars(std::begin(time), std::end(time),
                    absl::ToUnixMicros(MonotonicClock::Get().Now()));
  const iovec parts[] = {
      {.iov_base = time, .iov_len = static_cast<size_t>(end.ptr - time)},
      {.iov_base = const_cast<char*>(rest.data()), .iov_len = rest.size()}};
  (void)!writev(output, parts, std::size(parts));
}

}  // namespace

void KeepInFork(const ForkKeeping& keeping) {
  // The child of a process with threads may not allocate.
  Report report{.kind = Report::Kind::kForkHolds, .lease = keeping.lease};
  const std::string holds = RestOfLine(report);
  report.kind = Report::Kind::kForkDone;
  const std::string done = RestOfLine(report);
  report.kind = Report::Kind::kBreach;
  report.text = absl::StrCat("pages of lease ", keeping.lease.ToHex(),
                             " changed while a forked child had them mapped");
  const std::string breach = RestOfLine(report);
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
