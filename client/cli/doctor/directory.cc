#include "client/cli/doctor/directory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "client/cli/doctor/text_files.h"
#include "client/tool/format.h"
#include "core/base/byte_size.h"
#include "core/memory/directory/directory_lock.h"
#include "core/memory/kernel/filesystem_type.h"

namespace warmpool::doctor {
namespace {

// What container engines give /dev/shm.
constexpr uint64_t kContainerShm = 64 * kMiB;
// The daemon's own: lock, journals, mark.
constexpr uint64_t kOwnFiles = 16;

// Of the mount of a device (proc_pid_mountinfo(5)): where it is, and the
// options of the mount point, then those of the filesystem.
struct Mount {
  std::string point;
  std::string options;
};

Mount MountOf(dev_t device) {
  const std::string number = absl::StrCat(major(device), ":", minor(device));
  for (const std::string& line : ReadLines("/proc/self/mountinfo")) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (fields.size() > 5 && fields[2] == number) {
      return {std::string(fields[4]),
              absl::StrCat(fields[5], ",", fields.back())};
    }
  }
  return {};
}

bool HasOption(const DirectoryReadings& readings, absl::string_view option) {
  for (const absl::string_view each : absl::StrSplit(readings.options, ',')) {
    if (each == option) return true;
  }
  return false;
}

// A daemon refuses a directory that has files, and not the mark of a daemon's
// directory.
void ReadFiles(const std::string& path, DirectoryReadings* readings) {
  std::error_code error;
  const std::filesystem::directory_iterator files(path, error);
  const bool empty = error || files == std::filesystem::directory_iterator();
  readings->is_marked =
      std::filesystem::exists(path + "/private/warmpool-directory", error);
  readings->has_foreign_files = !empty && !readings->is_marked && !error;
}

std::string MountCommand(const Plan& plan) {
  return absl::StrCat("mkdir -p ", plan.shm_dir,
                      " && mount -t tmpfs -o mode=0711,huge=within_size,"
                      "size=",
                      plan.capacity_bytes.value_or(4 * kGiB), " warmpool ",
                      plan.shm_dir);
}

Check CheckOwn(const DirectoryReadings& readings, const Plan& plan) {
  constexpr char kName[] = "shm_dir";
  const std::string& path = plan.shm_dir;
  if (!readings.exists) {
    if (!readings.parent_exists) {
      return Fail(kName, absl::StrCat(readings.parent, " is missing"),
                  absl::StrCat("mkdir -p ", readings.parent,
                               ", or --shm_dir= elsewhere"));
    }
    if (!readings.writable) {
      return Fail(
          kName,
          absl::StrCat(path, " is missing, and uid ", geteuid(),
                       " may not make it"),
          absl::StrCat("install -d -m 0700 -o ", plan.daemon_uid, " ", path));
    }
    return Ok(kName, absl::StrCat(path, ", will be made"));
  }
  if (!readings.is_directory) {
    return Fail(kName, absl::StrCat(path, " is no directory, or a link to one"),
                "name another with --shm_dir=");
  }
  if (readings.owner != plan.daemon_uid) {
    return Fail(kName,
                absl::StrCat(path, " belongs to uid ", readings.owner,
                             ", the daemon is uid ", plan.daemon_uid),
                absl::StrCat("--shm_dir= elsewhere, or run the daemon as uid ",
                             readings.owner));
  }
  const std::string value = absl::StrFormat("%s, uid %d, mode %04o", path,
                                            readings.owner, readings.mode);
  if (readings.has_foreign_files) {
    return Fail(
        kName, absl::StrCat(path, " has files in it, and none is Warmpool's"),
        absl::StrCat("--shm_dir=", path == "/" ? "" : path,
                     "/warmpool, or elsewhere: the directory is to be the "
                     "daemon's own"));
  }
  if (readings.mode != 0700 && readings.mode != 0711) {
    // Only a directory that has its mark is certain to be Warmpool's.
    return Fail(kName, value,
                readings.is_marked
                    ? absl::StrCat("chmod 0700 ", path,
                                   " (0711 where a root daemon serves other "
                                   "users)")
                    : absl::StrCat("--shm_dir=", path == "/" ? "" : path,
                                   "/warmpool, which the daemon makes as it "
                                   "needs it"));
  }
  return Ok(kName, value);
}

Check CheckFilesystem(const DirectoryReadings& readings, const Plan& plan) {
  constexpr char kName[] = "filesystem";
  if (!readings.is_tmpfs) {
    return Fail(kName,
                absl::StrCat(plan.shm_dir, " is not on a tmpfs but on ",
                             readings.filesystem),
                MountCommand(plan));
  }
  const std::string value = absl::StrCat("tmpfs ", readings.options);
  if (HasOption(readings, "ro")) {
    return Fail(kName, value,
                "mount it writable (rw; in a container, without readOnly)");
  }
  return Ok(kName, value);
}

Check CheckSize(const DirectoryReadings& readings, const Plan& plan) {
  constexpr char kName[] = "shm_size";
  // A tmpfs of size=0 has no bound of its own.
  if (readings.total_bytes == 0) return Ok(kName, "no limit");
  const std::string value =
      absl::StrCat(FormatByteSize(readings.total_bytes), ", ",
                   FormatByteSize(readings.free_bytes), " free");
  const bool container = readings.total_bytes == kContainerShm;
  const uint64_t wanted = plan.capacity_bytes.value_or(0);
  const std::string size =
      wanted > 0 ? absl::StrCat(wanted + wanted / 16) : "4g";
  const std::string remedy =
      container
          ? absl::StrCat("docker run --shm-size=", size,
                         "; in Kubernetes an emptyDir with medium: Memory and "
                         "a sizeLimit, mounted there")
          : absl::StrCat("mount -o remount,size=", size, " ",
                         readings.mount_point, ", or plan for less");
  if (wanted > readings.total_bytes) {
    return Fail(kName,
                absl::StrCat(value, ", less than the capacity of ",
                             FormatByteSize(wanted)),
                remedy);
  }
  if (container) {
    return Warn(kName,
                absl::StrCat(value, ": what container engines give /dev/shm"),
                remedy);
  }
  // What a daemon holds already is not free.
  if (!plan.daemon_runs && wanted > readings.free_bytes) {
    return Warn(kName,
                absl::StrCat(value, ": others have what a capacity of ",
                             FormatByteSize(wanted), " takes"),
                remedy);
  }
  return Ok(kName, value);
}

// A tmpfs has at most so many files as its mount says (nr_inodes=).
Check CheckFiles(const DirectoryReadings& readings, const Plan& plan) {
  constexpr char kName[] = "files";
  if (readings.total_files == 0) return Ok(kName, "no limit");
  const std::string value =
      absl::StrCat(FormatCount(readings.free_files), " more of ",
                   FormatCount(readings.total_files));
  const uint64_t wanted = plan.buffers + kOwnFiles;
  const uint64_t could =
      plan.daemon_runs ? readings.total_files : readings.free_files;
  if (could >= wanted) return Ok(kName, value);
  return Fail(kName,
              absl::StrCat(value, ": each of ", FormatCount(plan.buffers),
                           " buffers is one"),
              absl::StrCat("mount -o remount,nr_inodes=", 2 * wanted, " ",
                           readings.mount_point));
}

std::string FilesystemTypeIn(const std::string& directory) {
  const int fd = open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return "unknown";
  std::string type = FilesystemTypeOf(fd);
  close(fd);
  return type;
}

// Of a directory that this process may not look into it is not known.
std::optional<std::string> TenantOf(const std::string& shm_dir) {
  const int fd =
      open(shm_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return std::nullopt;
  const absl::StatusOr<std::optional<std::string>> tenant =
      LockTenant(fd, shm_dir);
  close(fd);
  return tenant.value_or(std::nullopt);
}

}  // namespace

DirectoryReadings ReadDirectory(const std::string& shm_dir) {
  DirectoryReadings readings;
  readings.parent = std::filesystem::path(shm_dir).parent_path().string();
  struct stat file;
  readings.parent_exists = stat(readings.parent.c_str(), &file) == 0;
  readings.exists = lstat(shm_dir.c_str(), &file) == 0;
  if (readings.exists) {
    readings.is_directory = S_ISDIR(file.st_mode);
    readings.owner = file.st_uid;
    readings.mode = file.st_mode & 07777;
    ReadFiles(shm_dir, &readings);
    readings.tenant = TenantOf(shm_dir);
  }
  const std::string& on = readings.exists ? shm_dir : readings.parent;
  readings.writable = access(on.c_str(), W_OK) == 0;
  struct statfs kind;
  struct statvfs space;
  if (stat(on.c_str(), &file) < 0 || statfs(on.c_str(), &kind) < 0 ||
      statvfs(on.c_str(), &space) < 0) {
    return readings;
  }
  readings.is_tmpfs = kind.f_type == TMPFS_MAGIC;
  readings.filesystem = FilesystemTypeIn(on);
  const Mount mount = MountOf(file.st_dev);
  readings.mount_point = mount.point.empty() ? on : mount.point;
  readings.options = mount.options;
  readings.total_bytes = uint64_t{space.f_blocks} * space.f_frsize;
  readings.free_bytes = uint64_t{space.f_bavail} * space.f_frsize;
  readings.total_files = space.f_files;
  readings.free_files = space.f_favail;
  return readings;
}

Checks CheckDirectory(const DirectoryReadings& readings, const Plan& plan) {
  Checks checks = {CheckOwn(readings, plan)};
  // There is no filesystem to tell about.
  if (!readings.exists && !readings.parent_exists) return checks;
  checks.push_back(CheckFilesystem(readings, plan));
  checks.push_back(CheckSize(readings, plan));
  checks.push_back(CheckFiles(readings, plan));
  return checks;
}

}  // namespace warmpool::doctor
