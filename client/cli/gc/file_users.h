// Who has files of a directory open or mapped, as /proc tells of every process
// that this one may look into. What is on its way in a socket, or pinned by
// io_uring, shows nowhere.
#ifndef WARMPOOL_CLIENT_CLI_GC_FILE_USERS_H_
#define WARMPOOL_CLIENT_CLI_GC_FILE_USERS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/cli/gc/file_id.h"

namespace warmpool::gc {

struct FileUser {
  pid_t pid = 0;
  uid_t uid = 0;
  // Empty if not known.
  std::string command;
  std::set<FileId> mapped;
  std::set<FileId> open;
};

// A file that was removed, and whose memory somebody still has.
struct RemovedFile {
  std::string path;
  uint64_t bytes = 0;
};

struct FileUsers {
  // By their pids.
  std::vector<FileUser> users;
  std::map<FileId, RemovedFile> removed;
  // Processes that this one may not look into, by their uids.
  std::map<uid_t, size_t> unseen;
};

// Users of `files`, and of files that were removed from `directory`, an
// absolute path. This process is not looked at. `root` stands before "/proc".
FileUsers FindFileUsers(const std::set<FileId>& files,
                        const std::string& directory,
                        const std::string& root = "");

}  // namespace warmpool::gc

#endif  // WARMPOOL_CLIENT_CLI_GC_FILE_USERS_H_
