#include "client/cli/gc/report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool::gc {
namespace {

const char* KindName(LeftFile::Kind kind) {
  switch (kind) {
    case LeftFile::Kind::kSegment: return "segment";
    case LeftFile::Kind::kQuarantined: return "quarantined";
    case LeftFile::Kind::kOwn: return "own";
    case LeftFile::Kind::kUnknown: return "unknown";
  }
  return "unknown";
}

void AddUsersOf(const FileId& id, const FileUsers& users, cli::LeftFile* file) {
  for (const FileUser& user : users.users) {
    if (user.mapped.contains(id)) file->add_mapped_by_pids(user.pid);
    if (user.open.contains(id)) file->add_open_by_pids(user.pid);
  }
}

bool IsMemory(const cli::LeftFile& file) {
  return file.kind() == "segment" || file.kind() == "quarantined" ||
         file.kind() == "removed";
}

bool IsUsed(const cli::LeftFile& file) {
  return file.mapped_by_pids_size() + file.open_by_pids_size() > 0;
}

std::string Pids(const google::protobuf::RepeatedField<int32_t>& pids) {
  return pids.empty() ? "-" : absl::StrJoin(pids, " ");
}

std::string FilesText(const cli::LeftoverReport& report) {
  Table table("llrrll");
  table.AddRow({"FILE", "KIND", "UID", "SIZE", "MAPPED BY", "OPEN IN"});
  for (const cli::LeftFile& file : report.files()) {
    table.AddRow({file.name(), file.kind(), absl::StrCat(file.uid()),
                  FormatByteSize(file.bytes()), Pids(file.mapped_by_pids()),
                  Pids(file.open_by_pids())});
  }
  return table.ToString();
}

std::string ProcessesText(const cli::LeftoverReport& report) {
  Table table("rrlrr");
  table.AddRow({"PID", "UID", "COMMAND", "MAPPED", "OPEN"});
  for (const cli::FileUser& user : report.processes()) {
    table.AddRow({absl::StrCat(user.pid()), absl::StrCat(user.uid()),
                  user.command().empty() ? "?" : user.command(),
                  FormatCount(user.mapped_files()),
                  FormatCount(user.open_files())});
  }
  return absl::StrCat("\n", table.ToString());
}

std::string UnseenText(const cli::LeftoverReport& report) {
  std::vector<std::string> parts;
  for (const cli::UnseenProcesses& unseen : report.unseen()) {
    parts.push_back(absl::StrCat(FormatCount(unseen.processes()), " of uid ",
                                 unseen.uid()));
  }
  return absl::StrCat(
      "\nNot looked into, for want of permission, were processes: ",
      absl::StrJoin(parts, ", "),
      ". What they have does not show; root sees all.\n");
}

std::string SummaryText(const cli::LeftoverReport& report) {
  const std::string counts = absl::StrCat(
      FormatCounts({{"segments in use", report.used_segments()}}), " (",
      FormatByteSize(report.used_bytes()), "), ",
      FormatCounts({{"that nobody has", report.unused_segments()}}), " (",
      FormatByteSize(report.unused_bytes()), ")\n");
  if (!report.daemon().empty() || report.files().empty()) {
    return absl::StrCat("\n", counts);
  }
  // What is not Warmpool's must not be removed on its advice.
  const bool is_only_warmpools =
      report.marked() &&
      std::none_of(
          report.files().begin(), report.files().end(),
          [](const cli::LeftFile& file) { return file.kind() == "unknown"; });
  if (!is_only_warmpools) {
    return absl::StrCat("\n", counts, report.shm_dir(),
                        report.marked()
                            ? " has files in it that no daemon made\n"
                            : " is no daemon's directory\n");
  }
  return absl::StrCat(
      "\n", counts,
      "A daemon that is started on this directory takes up the leases of "
      "processes that\nlive, and ends what nobody has. Where none will follow "
      "and no process is above:\nrm -r ",
      report.shm_dir(), "\n");
}

}  // namespace

cli::LeftoverReport MakeReport(const std::string& shm_dir,
                               const LeftDirectory& directory,
                               const FileUsers& users) {
  cli::LeftoverReport report;
  report.set_shm_dir(shm_dir);
  report.set_daemon(directory.tenant.value_or(""));
  report.set_marked(directory.is_marked);
  for (const LeftFile& left : directory.files) {
    cli::LeftFile* const file = report.add_files();
    file->set_name(left.name);
    file->set_kind(KindName(left.kind));
    file->set_uid(left.uid);
    file->set_bytes(left.bytes);
    AddUsersOf(left.id, users, file);
  }
  for (const auto& [id, removed] : users.removed) {
    cli::LeftFile* const file = report.add_files();
    file->set_name(removed.path);
    file->set_kind("removed");
    file->set_bytes(removed.bytes);
    AddUsersOf(id, users, file);
  }
  for (const cli::LeftFile& file : report.files()) {
    if (!IsMemory(file)) continue;
    if (IsUsed(file)) {
      report.set_used_segments(report.used_segments() + 1);
      report.set_used_bytes(report.used_bytes() + file.bytes());
    } else {
      report.set_unused_segments(report.unused_segments() + 1);
      report.set_unused_bytes(report.unused_bytes() + file.bytes());
    }
  }
  for (const FileUser& user : users.users) {
    cli::FileUser* const process = report.add_processes();
    process->set_pid(user.pid);
    process->set_uid(user.uid);
    process->set_command(user.command);
    process->set_mapped_files(user.mapped.size());
    process->set_open_files(user.open.size());
  }
  for (const auto& [uid, processes] : users.unseen) {
    cli::UnseenProcesses* const unseen = report.add_unseen();
    unseen->set_uid(uid);
    unseen->set_processes(processes);
  }
  return report;
}

std::string ReportText(const cli::LeftoverReport& report) {
  std::string text = absl::StrCat(
      report.shm_dir(), ": ",
      report.daemon().empty()
          ? (report.missing() ? "there is no such directory"
                              : "no daemon has it")
          : absl::StrCat("not left behind, a daemon has it: ", report.daemon()),
      "\n");
  if (report.files_size() > 0) absl::StrAppend(&text, "\n", FilesText(report));
  if (report.processes_size() > 0)
    absl::StrAppend(&text, ProcessesText(report));
  if (report.unseen_size() > 0) absl::StrAppend(&text, UnseenText(report));
  absl::StrAppend(&text, SummaryText(report));
  return text;
}

}  // namespace warmpool::gc
