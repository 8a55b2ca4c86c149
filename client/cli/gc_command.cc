#include <filesystem>
#include <set>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/gc/file_users.h"
#include "client/cli/gc/left_files.h"
#include "client/cli/gc/report.h"
#include "core/base/unix_target.h"

ABSL_DECLARE_FLAG(std::string, shm_dir);

ABSL_FLAG(bool, dry_run, false, "Tell, and change nothing");

namespace warmpool {
namespace {

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) return UsageError("warmpool gc takes no arguments");
  if (!absl::GetFlag(FLAGS_dry_run)) {
    return UsageError(
        "warmpool gc tells and removes nothing, so it wants --dry-run: "
        "leases of processes that live are a daemon's to take up, and what "
        "nobody has it ends as it starts");
  }
  std::string path = absl::GetFlag(FLAGS_shm_dir);
  if (path.empty()) path = DefaultShmDirectory();
  path = std::filesystem::absolute(path).lexically_normal().string();
  if (path.back() == '/') path.pop_back();

  absl::StatusOr<gc::LeftDirectory> directory = gc::ReadLeftDirectory(path);
  // Processes may have what was in one that is gone.
  const bool missing = absl::IsNotFound(directory.status());
  if (missing) directory.emplace();
  if (!directory.ok()) {
    return absl::Status(directory.status().code(),
                        absl::StrCat(directory.status().message(),
                                     ": run this as root, or as the daemon's "
                                     "user"));
  }
  std::set<gc::FileId> files;
  for (const gc::LeftFile& file : directory->files) files.insert(file.id);
  cli::LeftoverReport report =
      gc::MakeReport(path, *directory, gc::FindFileUsers(files, path));
  report.set_missing(missing);
  Print(report, gc::ReportText(report));
  return absl::OkStatus();
}

}  // namespace

Command GcCommand() {
  return {
      .name = "gc",
      .arguments = "",
      .summary = "what a daemon that is gone left behind, and who has it",
      .help =
          "Lists the files in the directory of a daemon that is gone, and the "
          "processes that\nhave any of them open or mapped, those included "
          "that were removed meanwhile and\nwhose memory is still taken. It "
          "asks no daemon, and changes nothing. KIND is\nsegment, quarantined "
          "(set aside by the daemon), own (lock, journal), removed "
          "or\nunknown. "
          "To see what every process has takes root; whom it could not look "
          "into "
          "it\ntells.\n\n"
          "  warmpool gc --dry-run\n",
      .flags = {"dry_run", "shm_dir"},
      .run = Run};
}

}  // namespace warmpool
