#include "client/cli/command.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/flags/flag.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/tool/json.h"
#include "client/tool/output.h"
#include "core/base/status_macros.h"
#include "core/base/unix_target.h"

ABSL_FLAG(std::string, target, "",
          "Daemon to talk to, unix:PATH. Default: where a daemon of this user "
          "listens by default");
ABSL_FLAG(std::optional<uint32_t>, daemon_uid, std::nullopt,
          "Uid whose daemon is trusted, besides root's and this user's own");
ABSL_FLAG(absl::Duration, deadline, absl::Seconds(10),
          "Longest wait for the daemon's answer");
ABSL_FLAG(bool, json, false, "Print JSON, for programs to read");

namespace warmpool {
namespace {

constexpr char kUsageErrorPayload[] = "warmpool.cli/usage_error";

absl::StatusOr<absl::Duration> Deadline() {
  const absl::Duration deadline = absl::GetFlag(FLAGS_deadline);
  if (deadline > absl::ZeroDuration()) return deadline;
  return UsageError(absl::StrCat(
      "--deadline=", absl::FormatDuration(deadline),
      " is no time to wait: give a positive one, as 500ms or 10s"));
}

std::string Target() {
  const std::string target = absl::GetFlag(FLAGS_target);
  return target.empty() ? DefaultTarget() : target;
}

}  // namespace

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsageErrorPayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsageErrorPayload).has_value();
}

absl::StatusOr<std::shared_ptr<AdminCalls>> ConnectAdmin(
    absl::Duration longest_wait) {
  ASSIGN_OR_RETURN(const absl::Duration deadline, Deadline());
  return AdminCalls::Open(Target(),
                          {.deadline = std::min(deadline, longest_wait),
                           .daemon_uid = absl::GetFlag(FLAGS_daemon_uid)});
}

absl::StatusOr<Client> ConnectClient() {
  ASSIGN_OR_RETURN(const absl::Duration deadline, Deadline());
  return Client::Connect(
      Target(),
      {.deadline = deadline, .daemon_uid = absl::GetFlag(FLAGS_daemon_uid)});
}

bool JsonWanted() { return absl::GetFlag(FLAGS_json); }

void Print(const google::protobuf::Message& message, const std::string& text) {
  PrintOut(JsonWanted() ? ToJson(message) : text);
}

}  // namespace warmpool
