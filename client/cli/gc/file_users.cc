#include "client/cli/gc/file_users.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/doctor/text_files.h"

namespace warmpool::gc {
namespace {

namespace fs = std::filesystem;

// include/linux/sched.h: PF_KTHREAD, in field 9 of /proc/PID/stat.
constexpr uint64_t kKernelThread = 0x00200000;
constexpr size_t kFlagsAfterName = 6;

// They have no files, and who may not look can't tell.
bool IsKernelThread(const std::string& process) {
  const std::string stat = doctor::ReadText(process + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  uint64_t flags = 0;
  return fields.size() > kFlagsAfterName &&
         absl::SimpleAtoi(fields[kFlagsAfterName], &flags) &&
         (flags & kKernelThread) != 0;
}

// A line of /proc/PID/maps: "7f00-7f20 rw-s 00000000 00:1a 42   /path".
struct Mapping {
  FileId id;
  uint64_t bytes = 0;
  absl::string_view path;
};

std::optional<Mapping> ParseMapping(absl::string_view line) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits(' ', 5));
  if (fields.size() < 6) return std::nullopt;
  const std::pair<absl::string_view, absl::string_view> range =
      absl::StrSplit(fields[0], absl::MaxSplits('-', 1));
  const std::pair<absl::string_view, absl::string_view> device =
      absl::StrSplit(fields[3], absl::MaxSplits(':', 1));
  uint64_t begin = 0, end = 0;
  uint32_t high = 0, low = 0;
  Mapping mapping;
  if (!absl::SimpleHexAtoi(range.first, &begin) ||
      !absl::SimpleHexAtoi(range.second, &end) ||
      !absl::SimpleHexAtoi(device.first, &high) ||
      !absl::SimpleHexAtoi(device.second, &low) ||
      !absl::SimpleAtoi(fields[4], &mapping.id.inode)) {
    return std::nullopt;
  }
  mapping.id.device = makedev(high, low);
  mapping.bytes = end - begin;
  mapping.path = absl::StripLeadingAsciiWhitespace(fields[5]);
  return mapping;
}

class Search {
 public:
  Search(const std::set<FileId>& files, const std::string& directory)
      : files_(files), below_(directory + "/") {}

  // `process` is its directory in /proc.
  void LookInto(const std::string& process, pid_t pid) {
    struct stat own;
    if (stat(process.c_str(), &own) < 0 || IsKernelThread(process)) return;
    FileUser user;
    user.pid = pid;
    user.uid = own.st_uid;
    const bool seen =
        LookAtMaps(process, &user) && LookAtDescriptors(process, &user);
    if (!seen) {
      ++found_.unseen[user.uid];
    } else if (!user.mapped.empty() || !user.open.empty()) {
      user.command = std::string(
          absl::StripAsciiWhitespace(doctor::ReadText(process + "/comm")));
      found_.users.push_back(std::move(user));
    }
  }

  FileUsers Found() {
    std::sort(
        found_.users.begin(), found_.users.end(),
        [](const FileUser& a, const FileUser& b) { return a.pid < b.pid; });
    return std::move(found_);
  }

 private:
  static constexpr char kRemoved[] = " (deleted)";

  // Whether it is one of the files, or was removed from the directory.
  bool Matches(const FileId& id, absl::string_view path, uint64_t bytes) {
    if (files_.contains(id)) return true;
    if (!absl::StartsWith(path, below_) ||
        !absl::ConsumeSuffix(&path, kRemoved)) {
      return false;
    }
    RemovedFile& removed = found_.removed[id];
    removed.path = std::string(path);
    removed.bytes = std::max(removed.bytes, bytes);
    return true;
  }

  // False: it may not be read.
  bool LookAtMaps(const std::string& process, FileUser* user) {
    const std::string path = process + "/maps";
    // The kernel checks at the opening.
    std::ifstream maps(path);
    if (!maps) return errno == ENOENT || errno == ESRCH;
    for (std::string line; std::getline(maps, line);) {
      const std::optional<Mapping> mapping = ParseMapping(line);
      if (mapping.has_value() &&
          Matches(mapping->id, mapping->path, mapping->bytes)) {
        user->mapped.insert(mapping->id);
      }
    }
    return true;
  }

  bool LookAtDescriptors(const std::string& process, FileUser* user) {
    std::error_code error;
    fs::directory_iterator descriptors(process + "/fd", error);
    if (error) return error != std::errc::permission_denied;
    for (; descriptors != fs::directory_iterator();
         descriptors.increment(error)) {
      struct stat file;
      const std::string link = descriptors->path().string();
      if (stat(link.c_str(), &file) < 0) continue;
      std::error_code unreadable;
      const std::string path = fs::read_symlink(link, unreadable).string();
      const FileId id = {file.st_dev, file.st_ino};
      if (Matches(id, path, static_cast<uint64_t>(file.st_blocks) * 512)) {
        user->open.insert(id);
      }
    }
    return true;
  }

  const std::set<FileId>& files_;
  const std::string below_;
  FileUsers found_;
};

}  // namespace

FileUsers FindFileUsers(const std::set<FileId>& files,
                        const std::string& directory, const std::string& root) {
  Search search(files, directory);
  std::error_code error;
  for (fs::directory_iterator processes(root + "/proc", error);
       !error && processes != fs::directory_iterator();
       processes.increment(error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(processes->path().filename().string(), &pid))
      continue;
    if (pid == getpid()) continue;
    search.LookInto(processes->path().string(), pid);
  }
  return search.Found();
}

}  // namespace warmpool::gc
