#include "absl/flags/flag.h"
#include "client/cli/command.h"
#include "client/cli/watch_text.h"
#include "client/tool/json.h"
#include "client/tool/output.h"
#include "core/base/status_macros.h"

ABSL_FLAG(absl::Duration, interval, absl::Seconds(1),
          "Between two looks, 100ms to 1h");
ABSL_FLAG(uint64_t, count, 0, "Looks, or events, to tell of; 0: until Ctrl-C");

namespace warmpool {
namespace {

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool watch takes no arguments");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  const uint64_t count = absl::GetFlag(FLAGS_count);
  uint64_t printed = 0;
  WatchText text;
  return admin->WatchStats(
      absl::GetFlag(FLAGS_interval), [&](const v1::GetStatsResponse& stats) {
        const std::string line = JsonWanted()
                                     ? ToJson(stats, JsonStyle::kLine) + "\n"
                                     : text.Line(stats);
        return PrintOut(line) && ++printed != count;
      });
}

}  // namespace

Command WatchCommand() {
  return {.name = "watch",
          .arguments = "",
          .summary = "the statistics again and again, a line each time",
          .help =
              "Prints what is leased, retained and free, and the rates "
              "since the line before:\nleases granted, how many of them "
              "were warm, evictions. With --json, each line is\none "
              "answer of the daemon.\n\n"
              "  warmpool watch --interval=500ms --count=20\n",
          .flags = {"interval", "count"},
          .run = Run};
}

}  // namespace warmpool
