#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "core/base/byte_size.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool trim takes no arguments");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  ASSIGN_OR_RETURN(const v1::TrimResponse response, admin->Trim());
  Print(response,
        absl::StrCat("gave back ", FormatByteSize(response.ended_bytes()),
                     ", asked clients for ",
                     FormatByteSize(response.asked_of_clients_bytes()), "\n"));
  return absl::OkStatus();
}

}  // namespace

Command TrimCommand() {
  return {
      .name = "trim",
      .arguments = "",
      .summary = "gives the system back what no lease needs",
      .help =
          "Ends what is retained, batched and in stock, and asks clients "
          "for what lies idle\nin their lease caches. What is leased stays. "
          "The next leases find no warm memory.\nOnly for root, the "
          "daemon's user and its administrators.\n\n"
          "  warmpool trim\n",
      .flags = {},
      .run = Run};
}

}  // namespace warmpool
