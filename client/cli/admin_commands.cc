// What ends leases of others, and the daemon.
#include "absl/flags/flag.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/output.pb.h"
#include "client/tool/format.h"
#include "core/base/random_id.h"

ABSL_FLAG(bool, revoke, false,
          "Revoke every lease and end every segment, mapped or not. Otherwise "
          "leased segments stay for the next daemon");

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
  absl::StatusOr<Client> client = Connect();
  if (!client.ok()) return client.status();
  cli::ReleasedLeases released;
  std::string text;
  for (const std::string& lease_id : lease_ids) {
    const absl::Status status = client->Revoke(lease_id);
    if (!status.ok()) return status;
    released.add_lease_ids(absl::BytesToHexString(lease_id));
    absl::StrAppend(&text, "released ", absl::BytesToHexString(lease_id), "\n");
  }
  Print(released, text);
  return absl::OkStatus();
}

absl::Status RunShutdown(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool shutdown takes no arguments");
  }
  absl::StatusOr<Client> client = Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::ShutdownResponse> response =
      client->Shutdown(absl::GetFlag(FLAGS_revoke));
  if (!response.ok()) return response.status();
  Print(*response,
        absl::StrCat(
            "the daemon is stopping: ",
            FormatCounts({{"live leases", response->live_leases()},
                          {"of them revoked", response->revoked_leases()}}),
            "\n"));
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

Command ShutdownCommand() {
  return {.name = "shutdown",
          .arguments = "",
          .summary = "stops the daemon",
          .help =
              "Stops the daemon; the next one takes up what is leased. If its "
              "--drain_timeout\nsays so, it grants no further lease and waits "
              "for those live first. Only for\nroot, the daemon's user and its "
              "administrators.\n\n"
              "  warmpool shutdown\n",
          .flags = {"revoke"},
          .run = RunShutdown};
}

}  // namespace warmpool
