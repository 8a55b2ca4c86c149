#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "absl/flags/flag.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/output.pb.h"
#include "client/tool/json.h"
#include "client/tool/output.h"
#include "client/tool/stop_signals.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"
#include "core/base/status_macros.h"

ABSL_FLAG(std::optional<std::string>, name, std::nullopt,
          "Name for others to attach by. Default: the daemon makes one up");
ABSL_FLAG(std::optional<absl::Duration>, ttl, std::nullopt,
          "Time to live, renewed while this runs; 0: as long as this runs. "
          "Default: the daemon's");
ABSL_FLAG(bool, zeroed, false, "Every byte reads as zero");

namespace warmpool {
namespace {

const char* WarmthName(BufferWarmth warmth) {
  switch (warmth) {
    case BufferWarmth::kWarm: return "warm";
    case BufferWarmth::kStock: return "stock";
    case BufferWarmth::kFresh: return "fresh";
  }
  return "unknown";
}

cli::LeasedBuffer Describe(const Buffer& buffer) {
  cli::LeasedBuffer leased;
  leased.set_name(buffer.name());
  leased.set_lease_id(absl::BytesToHexString(buffer.lease_id()));
  leased.set_generation(buffer.generation());
  leased.set_size_bytes(buffer.size());
  leased.set_mapped_bytes(buffer.mapped_size());
  leased.set_page_size_bytes(buffer.page_size());
  leased.set_warmth(WarmthName(buffer.warmth()));
  leased.set_zeroed(buffer.zeroed());
  leased.set_ttl_seconds(absl::ToDoubleSeconds(buffer.ttl()));
  return leased;
}

std::string LeasedText(const cli::LeasedBuffer& leased) {
  Table table("ll");
  table.AddRow({"name", leased.name()});
  table.AddRow({"lease", leased.lease_id()});
  table.AddRow(
      {"size", absl::StrCat(FormatByteSize(leased.size_bytes()), " (",
                            FormatByteSize(leased.mapped_bytes()),
                            " mapped, in pages of ",
                            FormatByteSize(leased.page_size_bytes()), ")")});
  table.AddRow({"warmth", absl::StrCat(leased.warmth(),
                                       leased.zeroed() ? ", zeroed" : "")});
  table.AddRow({"ttl", leased.ttl_seconds() == 0
                           ? "as long as this process lives"
                           : absl::StrCat(absl::FormatDuration(absl::Seconds(
                                              leased.ttl_seconds())),
                                          ", renewed")});
  return table.ToString();
}

// The end of a pipe or of what is typed means stop. /dev/null, which shells
// give to background jobs, has its end at once and means nothing; a background
// job that reads from the terminal would be suspended.
bool InputHasAnEnd() {
  if (isatty(STDIN_FILENO) == 1) {
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
  }
  struct stat input;
  return fstat(STDIN_FILENO, &input) == 0 &&
         (S_ISFIFO(input.st_mode) || S_ISSOCK(input.st_mode));
}

// Between two looks at whether somebody else has ended the lease.
constexpr int kLookMs = 1000;

// OK: it is to be released. An error: it has ended without that.
absl::Status AwaitStop(StopSignals& signals, Buffer& buffer) {
  pollfd polled[] = {{.fd = signals.fd(), .events = POLLIN, .revents = 0},
                     {.fd = InputHasAnEnd() ? STDIN_FILENO : -1,
                      .events = POLLIN,
                      .revents = 0}};
  for (;;) {
    const int ready = poll(polled, 2, kLookMs);
    if (ready < 0 && errno != EINTR) return absl::OkStatus();
    if (signals.Arrived()) return absl::OkStatus();
    if (ready == 0) {
      const absl::Status renewed = buffer.Renew();
      // A daemon that is away leaves the lease as it is.
      if (absl::IsFailedPrecondition(renewed) || absl::IsNotFound(renewed) ||
          absl::IsPermissionDenied(renewed)) {
        return renewed;
      }
      continue;
    }
    char ignored[4096];
    if (polled[1].revents != 0 &&
        read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) {
      return absl::OkStatus();
    }
  }
}

absl::Status Run(absl::Span<const std::string> arguments) {
  if (arguments.size() != 1) {
    return UsageError("warmpool lease takes one argument, the SIZE");
  }
  const absl::StatusOr<ByteSize> size = ParseByteSize(arguments[0]);
  if (!size.ok()) return UsageError(size.status().message());
  LeaseOptions options;
  options.name = absl::GetFlag(FLAGS_name);
  options.ttl = absl::GetFlag(FLAGS_ttl);
  options.zeroed = absl::GetFlag(FLAGS_zeroed);

  StopSignals signals;
  ASSIGN_OR_RETURN(Client client, ConnectClient());
  ASSIGN_OR_RETURN(Buffer buffer, client.Lease(size->bytes, options));
  const cli::LeasedBuffer leased = Describe(buffer);
  // A lease that nobody learns of is not held.
  const absl::Status ended =
      PrintOut(JsonWanted() ? ToJson(leased) : LeasedText(leased))
          ? AwaitStop(signals, buffer)
          : absl::OkStatus();
  const absl::Status released = buffer.Release();
  return ended.ok() ? released : ended;
}

}  // namespace

Command LeaseCommand() {
  return {.name = "lease",
          .arguments = "SIZE",
          .summary = "leases a buffer and holds it",
          .help =
              "Prints the buffer's name and lease, and holds it until "
              "Ctrl-C, SIGTERM, or the end\nof its input if that is typed "
              "or a pipe.\n\n"
              "  warmpool lease 2MiB --name=camera/frame --ttl=1m\n",
          .flags = {"name", "ttl", "zeroed"},
          .run = Run};
}

}  // namespace warmpool
