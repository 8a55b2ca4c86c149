#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/event_text.h"
#include "client/tool/json.h"
#include "client/tool/output.h"
#include "core/base/status_macros.h"

ABSL_FLAG(std::string, prefix, "", "Only buffers whose names start so");
ABSL_DECLARE_FLAG(uint64_t, count);

namespace warmpool {
namespace {

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool events takes no arguments");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  const uint64_t count = absl::GetFlag(FLAGS_count);
  uint64_t printed = 0;
  return admin->WatchBuffers(
      absl::GetFlag(FLAGS_prefix), [&](const v1::BufferEvent& event) {
        const absl::Time now = absl::Now();
        const std::string line =
            JsonWanted()
                ? ToJson(MakeEvent(event, now), JsonStyle::kLine) + "\n"
                : EventLine(event, now, absl::LocalTimeZone());
        return PrintOut(line) && ++printed != count;
      });
}

}  // namespace

Command EventsCommand() {
  return {.name = "events",
          .arguments = "",
          .summary = "buffers as they are created, sealed and ended",
          .help =
              "Prints a line for each event of a buffer, as it happens: the "
              "time, what became of\nthe buffer, its size and name. \"resync\" "
              "comes first, and again where events were\nlost because they "
              "were not read in time: warmpool list tells what was before.\n\n"
              "  warmpool events --prefix=camera/\n",
          .flags = {"prefix", "count"},
          .run = Run};
}

}  // namespace warmpool
