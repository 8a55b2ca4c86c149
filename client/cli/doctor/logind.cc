#include "client/cli/doctor/logind.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/doctor/text_files.h"

namespace warmpool::doctor {
namespace {

constexpr char kName[] = "remove_ipc";
// What Debian's systemd takes for a system user (user_record(5)), whose files
// logind leaves alone.
constexpr uid_t kLastSystemUid = 999;

// The configuration's files, those first that later ones override.
std::vector<std::string> ConfigurationFiles(const std::string& root) {
  // Of one name, only the file in the first of them counts.
  std::map<std::string, std::string> by_name;
  for (const char* const directory :
       {"/etc/systemd/logind.conf.d", "/run/systemd/logind.conf.d",
        "/usr/lib/systemd/logind.conf.d"}) {
    std::error_code missing;
    for (const auto& entry :
         std::filesystem::directory_iterator(root + directory, missing)) {
      if (entry.path().extension() != ".conf") continue;
      by_name.emplace(entry.path().filename().string(), entry.path().string());
    }
  }
  std::vector<std::string> files = {root + "/etc/systemd/logind.conf"};
  for (const auto& [name, path] : by_name) files.push_back(path);
  return files;
}

bool RemovesIpc(const std::string& root) {
  bool removes = true;
  for (const std::string& file : ConfigurationFiles(root)) {
    const std::vector<std::string> lines = ReadLines(file);
    for (const std::string& line : lines) {
      const std::optional<std::string> value = ValueOf({line}, "RemoveIPC=");
      if (!value.has_value()) continue;
      const std::string word = absl::AsciiStrToLower(*value);
      removes = word == "yes" || word == "1" || word == "true" ||
                word == "on" || word.empty();
    }
  }
  return removes;
}

}  // namespace

Check CheckRemoveIpc(const Plan& plan) {
  if (!absl::StartsWith(plan.shm_dir, "/dev/shm/")) {
    return Ok(kName, "logind removes files below /dev/shm alone");
  }
  if (!std::filesystem::exists(plan.root + "/run/systemd/system")) {
    return Ok(kName, "systemd does not run here");
  }
  if (!RemovesIpc(plan.root)) return Ok(kName, "no");
  const std::string remedy =
      "mkdir -p /etc/systemd/logind.conf.d && printf "
      "'[Login]\\nRemoveIPC=no\\n' "
      "> /etc/systemd/logind.conf.d/warmpool.conf && systemctl restart "
      "systemd-logind";
  if (plan.daemon_uid == 0) {
    return Warn(kName,
                "yes: the buffers of an ordinary user whom the daemon serves "
                "lose their files when the user logs out",
                remedy);
  }
  if (plan.daemon_uid <= kLastSystemUid) {
    return Ok(kName, absl::StrCat("yes, but not of a system user (uid ",
                                  plan.daemon_uid, ")"));
  }
  return Warn(
      kName,
      absl::StrCat("yes: all buffers lose their files when uid ",
                   plan.daemon_uid, " logs out"),
      absl::StrCat(remedy, "; or loginctl enable-linger ", plan.daemon_uid));
}

}  // namespace warmpool::doctor
