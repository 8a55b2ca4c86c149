#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/output.pb.h"
#include "core/base/random_id.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

absl::Status RunRelease(absl::Span<const std::string> arguments) {
  if (arguments.empty()) {
    return UsageError("warmpool release takes the ids of LEASEs to end");
  }
  std::vector<std::string> lease_ids;
  for (const std::string& argument : arguments) {
    const std::optional<RandomId> id =
        RandomId::FromHex(absl::AsciiStrToLower(argument));
    if (!id.has_value()) {
      return UsageError(absl::StrCat(
          "\"", argument,
          "\" is not a lease id: 32 hexadecimal digits, as warmpool list "
          "prints them"));
    }
    lease_ids.push_back(id->ToBytes());
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  cli::ReleasedLeases released;
  std::string text;
  for (const std::string& lease_id : lease_ids) {
    RETURN_IF_ERROR(admin->Revoke(lease_id));
    released.add_lease_ids(absl::BytesToHexString(lease_id));
    absl::StrAppend(&text, "released ", absl::BytesToHexString(lease_id), "\n");
  }
  Print(released, text);
  return absl::OkStatus();
}

}  // namespace

Command ReleaseCommand() {
  return {.name = "release",
          .arguments = "LEASE...",
          .summary = "ends leases, whoever holds them",
          .help =
              "Revokes leases by their ids. Their holders are told; a "
              "segment that is still\nmapped is kept from everybody else "
              "until it no longer is. Only for root and the\ndaemon's "
              "user.\n\n"
              "  warmpool release 6f1d3c0a9be84d2f8a5b7c9d0e1f2a3b\n",
          .flags = {},
          .run = RunRelease};
}

}  // namespace warmpool
