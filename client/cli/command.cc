#include "client/cli/command.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/flags/flag.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/tool/json.h"
#include "client/tool/output.h"
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

}  // namespace

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsageErrorPayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsageErrorPayload).has_value();
}

absl::StatusOr<Client> Connect(absl::Duration longest_wait) {
  const absl::Duration deadline = absl::GetFlag(FLAGS_deadline);
  if (deadline <= absl::ZeroDuration()) {
    return UsageError(
        absl::StrCat("--deadline=", absl::FormatDuration(deadline),
                     " is no time to wait: give a positive one, "
                     "as 500ms or 10s"));
  }
  std::string target = absl::GetFlag(FLAGS_target);
  if (target.empty()) target = DefaultTarget();
  return Client::Connect(target,
                         {.deadline = std::min(deadline, longest_wait),
                          .daemon_uid = absl::GetFlag(FLAGS_daemon_uid)});
}

bool JsonWanted() { return absl::GetFlag(FLAGS_json); }

void Print(const google::protobuf::Message& message, const std::string& text) {
  PrintOut(JsonWanted() ? ToJson(message) : text);
}

}  // namespace warmpool
