#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/command.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

constexpr char kPrefix[] = "LOG_LEVEL_";

std::string NameOf(v1::LogLevel level) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::LogLevel_Name(level), kPrefix));
}

absl::StatusOr<v1::LogLevel> ParseLevel(const std::string& name) {
  v1::LogLevel level = v1::LOG_LEVEL_UNSPECIFIED;
  if (!v1::LogLevel_Parse(absl::StrCat(kPrefix, absl::AsciiStrToUpper(name)),
                          &level) ||
      level == v1::LOG_LEVEL_UNSPECIFIED) {
    return UsageError(absl::StrCat(
        "\"", name, "\" is none of trace, debug, info, warn, error, off"));
  }
  return level;
}

absl::Status Run(absl::Span<const std::string> arguments) {
  if (arguments.size() > 1) {
    return UsageError("warmpool log-level takes one argument, the LEVEL");
  }
  v1::LogLevel level = v1::LOG_LEVEL_UNSPECIFIED;
  if (!arguments.empty()) {
    ASSIGN_OR_RETURN(const v1::LogLevel parsed, ParseLevel(arguments[0]));
    level = parsed;
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  ASSIGN_OR_RETURN(const v1::SetLogLevelResponse response,
                   admin->SetLogLevel(level));
  const std::string before = NameOf(response.previous());
  Print(response, arguments.empty()
                      ? absl::StrCat(before, "\n")
                      : absl::StrCat(NameOf(level), ", was ", before, "\n"));
  return absl::OkStatus();
}

}  // namespace

Command LogLevelCommand() {
  return {
      .name = "log-level",
      .arguments = "[LEVEL]",
      .summary = "how much the daemon logs",
      .help =
          "Makes the daemon log LEVEL and what is worse from now on, until it "
          "stops: trace,\ndebug, info, warn, error or off. Without a LEVEL, "
          "tells it. Only for root, the\ndaemon's user and its "
          "administrators.\n\n"
          "  warmpool log-level debug\n",
      .flags = {},
      .run = Run};
}

}  // namespace warmpool
