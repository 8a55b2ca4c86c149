// Command: one of the things that the command-line tool does, and what all of
// them need.
#ifndef WARMPOOL_CLIENT_CLI_COMMAND_H_
#define WARMPOOL_CLIENT_CLI_COMMAND_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/admin/admin_calls.h"
#include "google/protobuf/message.h"
#include "warmpool/warmpool.h"

namespace warmpool {

struct Command {
  absl::string_view name;
  // What follows the name, flags aside: "SIZE".
  absl::string_view arguments;
  // A line for the list of commands.
  absl::string_view summary;
  // The rest of what --help says; ends in an example.
  absl::string_view help;
  // Its flags, besides kCommonFlags.
  std::vector<absl::string_view> flags;
  // Prints to stdout.
  absl::Status (*run)(absl::Span<const std::string> arguments);
};

inline constexpr absl::string_view kCommonFlags[] = {"target", "daemon_uid",
                                                     "deadline", "json"};

// The command line is at fault: the tool exits with 2 and says how to get help.
absl::Status UsageError(absl::string_view message);
bool IsUsageError(const absl::Status& status);

// To the daemon that --target names. They wait for an answer as long as
// --deadline says, but not longer than `longest_wait`.
absl::StatusOr<std::shared_ptr<AdminCalls>> ConnectAdmin(
    absl::Duration longest_wait = absl::InfiniteDuration());
absl::StatusOr<Client> ConnectClient();

// Prints `message` as JSON or, without --json, `text`.
void Print(const google::protobuf::Message& message, const std::string& text);
bool JsonWanted();

Command StatsCommand();
Command TopCommand();
Command ListCommand();
Command WatchCommand();
Command EventsCommand();
Command LeaseCommand();
Command ReleaseCommand();
Command TrimCommand();
Command ShutdownCommand();
Command DoctorCommand();
Command GcCommand();
Command LogLevelCommand();

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_COMMAND_H_
