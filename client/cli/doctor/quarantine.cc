#include "client/cli/doctor/quarantine.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cli/gc/file_id.h"
#include "client/cli/gc/file_users.h"
#include "client/cli/gc/left_files.h"
#include "client/tool/format.h"
#include "core/base/byte_size.h"

namespace warmpool::doctor {
namespace {

constexpr char kName[] = "quarantine";

std::string Describe(const CheckedProcess& process) {
  return absl::StrCat("pid ", process.pid, " (",
                      process.command.empty() ? "?" : process.command, ", uid ",
                      process.uid, ") has ", FormatByteSize(process.bytes));
}

std::string DescribeAll(const std::vector<CheckedProcess>& processes) {
  std::string text;
  const size_t named = std::min(processes.size(), kMostNamed);
  for (size_t i = 0; i < named; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", Describe(processes[i]));
  }
  if (processes.size() > named) {
    absl::StrAppend(&text, ", and ", FormatCount(processes.size() - named),
                    " more processes");
  }
  return text;
}

}  // namespace

QuarantineReadings ReadQuarantine(const v1::GetStatsResponse& stats,
                                  const std::string& root) {
  QuarantineReadings readings;
  readings.segments = stats.quarantine().quarantined_segments();
  readings.bytes = stats.bytes().quarantined_bytes();
  if (readings.segments == 0) return readings;
  const absl::StatusOr<gc::LeftDirectory> directory =
      gc::ReadLeftDirectory(stats.shm_dir());
  readings.looked = directory.status();
  if (!directory.ok()) return readings;
  std::map<gc::FileId, uint64_t> bytes;
  std::set<gc::FileId> files;
  for (const gc::LeftFile& file : directory->files) {
    if (file.kind != gc::LeftFile::Kind::kQuarantined) continue;
    bytes[file.id] = file.bytes;
    files.insert(file.id);
  }
  const gc::FileUsers found = gc::FindFileUsers(files, stats.shm_dir(), root);
  for (const auto& [uid, count] : found.unseen) {
    readings.unseen_processes += count;
  }
  for (const gc::FileUser& user : found.users) {
    // The daemon has some open to probe them.
    if (user.pid == stats.pid()) continue;
    std::set<gc::FileId> has = user.mapped;
    has.insert(user.open.begin(), user.open.end());
    uint64_t sum = 0;
    for (const gc::FileId& id : has) {
      const auto file = bytes.find(id);
      if (file != bytes.end()) sum += file->second;
    }
    if (sum == 0) continue;
    readings.processes.push_back({user.pid, user.uid, user.command, sum});
  }
  std::sort(readings.processes.begin(), readings.processes.end(),
            [](const CheckedProcess& a, const CheckedProcess& b) {
              return std::tie(b.bytes, a.pid) < std::tie(a.bytes, b.pid);
            });
  return readings;
}

Check CheckQuarantine(const QuarantineReadings& readings) {
  if (readings.segments == 0) return Ok(kName, "nothing");
  const std::string what =
      absl::StrCat(FormatCount(readings.segments), " segments, ",
                   FormatByteSize(readings.bytes));
  if (!readings.looked.ok()) {
    return Warn(kName,
                absl::StrCat(what, "; uid ", geteuid(),
                             " may not see which processes have them"),
                "run warmpool doctor as root or as the daemon's user");
  }
  if (readings.processes.empty() && readings.unseen_processes > 0) {
    return Warn(kName,
                absl::StrCat(what, "; ", FormatCount(readings.unseen_processes),
                             " processes could not be looked into"),
                "run warmpool doctor as root");
  }
  if (readings.processes.empty()) {
    return Warn(kName,
                absl::StrCat(what,
                             "; no process has them open or mapped, but "
                             "they may be in a socket's queue or in io_uring"),
                "the daemon frees them once they are free");
  }
  Check check = Warn(kName,
                     absl::StrCat(what, " are still open or mapped: ",
                                  DescribeAll(readings.processes)),
                     "these processes must unmap and close what they have "
                     "released, or end");
  check.processes = readings.processes;
  check.processes.resize(std::min(check.processes.size(), kMostProcesses));
  return check;
}

}  // namespace warmpool::doctor
