#include "client/cli/command.h"
#include "client/cli/stats_text.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool stats takes no arguments");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  ASSIGN_OR_RETURN(const v1::GetStatsResponse stats, admin->GetStats());
  Print(stats, StatsText(stats));
  return absl::OkStatus();
}

}  // namespace

Command StatsCommand() {
  return {.name = "stats",
          .arguments = "",
          .summary = "where every byte is, and what was counted since start",
          .help =
              "Prints the daemon's statistics: capacity and who has it, "
              "leases by outcome,\nBigCache's hits and evictions by "
              "reason, Batch's flushes, system calls.\n\n"
              "  warmpool stats --json | grep evicted_\n",
          .flags = {},
          .run = Run};
}

}  // namespace warmpool
