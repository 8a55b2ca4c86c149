// The directory of the segments, and the filesystem that it is on.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_DIRECTORY_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_DIRECTORY_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "client/cli/doctor/check.h"
#include "client/cli/doctor/plan.h"

namespace warmpool::doctor {

struct DirectoryReadings {
  std::string parent = "";
  bool parent_exists = false;
  // There is something of its name, and it is a directory itself.
  bool exists = false;
  bool is_directory = false;
  uid_t owner = 0;
  mode_t mode = 0;
  // Files, and no daemon's.
  bool has_foreign_files = false;
  // A daemon has marked it as its own.
  bool is_marked = false;
  // The daemon that has the directory, in the words of its lock file.
  std::optional<std::string> tenant = std::nullopt;
  // Of the directory, or of its parent where it is still missing.
  bool writable = false;
  // The filesystem of either; `options` are its mount's: "rw,huge=within_size".
  bool is_tmpfs = false;
  // As mount(8) names it.
  std::string filesystem = "";
  std::string mount_point = "";
  std::string options = "";
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
  // 0: as many as there is memory for.
  uint64_t total_files = 0;
  uint64_t free_files = 0;
};

DirectoryReadings ReadDirectory(const std::string& shm_dir);

// shm_dir, filesystem, shm_size and files.
Checks CheckDirectory(const DirectoryReadings& readings, const Plan& plan);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_DIRECTORY_H_
