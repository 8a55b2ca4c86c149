// warmpool: what a person asks of a Warmpool daemon, on the command line.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/flags/commandlineflag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/command.h"
#include "client/tool/output.h"
#include "client/tool/table.h"
#include "client/tool/usage.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

// Exit codes.
constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

std::vector<Command> AllCommands() {
  return {StatsCommand(),    TopCommand(),    ListCommand(),
          WatchCommand(),    EventsCommand(), LeaseCommand(),
          ReleaseCommand(),  TrimCommand(),   ShutdownCommand(),
          LogLevelCommand(), DoctorCommand(), GcCommand()};
}

const Command* Find(const std::vector<Command>& commands,
                    absl::string_view name) {
  for (const Command& command : commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::string GeneralHelp(const std::vector<Command>& commands) {
  Table table("ll");
  for (const Command& command : commands) {
    table.AddRow({std::string(command.name), std::string(command.summary)});
  }
  return absl::StrCat(
      "warmpool: asks the Warmpool daemon of this machine.\n\n"
      "  warmpool COMMAND [ARGUMENT...] [--FLAG=VALUE...]\n\nCommands:\n",
      table.ToString("  "), "\nFlags of all commands:\n",
      FlagsHelp(kCommonFlags),
      "\nSizes are written 4096, 64KiB, 2MiB, 4G; durations 200ms, 10s, 5m.\n"
      "`warmpool COMMAND --help` tells more.\n\nExit codes:\n"
      "  0  done\n"
      "  1  the daemon refused or does not answer, a check of doctor's "
      "failed, a\n     flag does not parse, or the output can't be written\n"
      "  2  the command line is wrong\n");
}

std::string HelpFor(const Command& command) {
  std::string text =
      absl::StrCat("warmpool ", command.name,
                   command.arguments.empty() ? "" : " ", command.arguments,
                   ": ", command.summary, "\n\n", command.help, "\nFlags:\n");
  absl::StrAppend(&text, FlagsHelp(command.flags), FlagsHelp(kCommonFlags));
  return text;
}

// The command line has --help, or is `warmpool help [COMMAND]`.
int PrintHelp(const std::vector<Command>& commands, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (const Command* const command = Find(commands, argv[i])) {
      PrintOut(HelpFor(*command));
      return kOk;
    }
  }
  PrintOut(GeneralHelp(commands));
  return kOk;
}

absl::Status UnknownCommand(const std::vector<Command>& commands,
                            absl::string_view name) {
  std::string known;
  for (const Command& command : commands) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", command.name);
  }
  return UsageError(name.empty() ? absl::StrCat("no command; there are ", known)
                                 : absl::StrCat("no command \"", name,
                                                "\"; there are ", known));
}

// Flags of another command, given with this one, would be ignored.
absl::Status CheckFlags(const std::vector<Command>& commands,
                        const Command& command) {
  for (const Command& other : commands) {
    for (const absl::string_view flag : other.flags) {
      if (absl::c_linear_search(command.flags, flag)) continue;
      const absl::CommandLineFlag* const found =
          absl::FindCommandLineFlag(flag);
      if (found->CurrentValue() != found->DefaultValue()) {
        return UsageError(
            absl::StrCat("warmpool ", command.name, " has no flag --", flag));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Dispatch(const std::vector<Command>& commands,
                      const std::vector<char*>& arguments) {
  const absl::string_view name = arguments.size() > 1 ? arguments[1] : "";
  const Command* const command = Find(commands, name);
  if (command == nullptr) return UnknownCommand(commands, name);
  RETURN_IF_ERROR(CheckFlags(commands, *command));
  return command->run(
      std::vector<std::string>(arguments.begin() + 2, arguments.end()));
}

// --dry-run is as good as --dry_run: flags are defined with underscores.
void AcceptHyphens(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (argument == "--") return;
    if (!absl::ConsumePrefix(&argument, "--")) continue;
    char* const end =
        argv[i] + 2 + std::min(argument.find('='), argument.size());
    std::replace(argv[i] + 2, end, '-', '_');
  }
}

int Main(int argc, char** argv) {
  GuardOutput("warmpool");
  absl::FlagsUsageConfig usage;
  usage.version_string = [] { return "warmpool " WARMPOOL_VERSION "\n"; };
  absl::SetFlagsUsageConfig(usage);
  AcceptHyphens(argc, argv);
  const std::vector<Command> commands = AllCommands();
  if (WantsHelp(argc, argv) ||
      (argc > 1 && absl::string_view(argv[1]) == "help")) {
    return PrintHelp(commands, argc, argv);
  }
  const absl::Status status =
      Dispatch(commands, absl::ParseCommandLine(argc, argv));
  if (status.ok()) return kOk;
  std::fprintf(stderr, "warmpool: %s\n", std::string(status.message()).c_str());
  if (!IsUsageError(status)) return kFailed;
  std::fputs("Try warmpool --help.\n", stderr);
  return kUsage;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) { return warmpool::Main(argc, argv); }
