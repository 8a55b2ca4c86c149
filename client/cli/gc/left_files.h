// The files in a daemon's directory, looked at from outside. Nothing is opened
// but the directory and its lock, and nothing changed.
#ifndef WARMPOOL_CLIENT_CLI_GC_LEFT_FILES_H_
#define WARMPOOL_CLIENT_CLI_GC_LEFT_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/gc/file_id.h"

namespace warmpool::gc {

struct LeftFile {
  enum class Kind {
    // Leased, retained, stock or batched when the daemon ended.
    kSegment,
    // Set aside by the daemon.
    kQuarantined,
    // The daemon's own: lock, journal, mark.
    kOwn,
    // Not Warmpool's.
    kUnknown,
  };

  // Below the directory.
  std::string name;
  Kind kind = Kind::kUnknown;
  uid_t uid = 0;
  // Of memory that it takes.
  uint64_t bytes = 0;
  FileId id;
};

struct LeftDirectory {
  // Who has the directory, in the daemon's words; nullopt: nobody.
  std::optional<std::string> tenant;
  // A daemon has marked it as its own.
  bool is_marked = false;
  // By their names.
  std::vector<LeftFile> files;
};

// NOT_FOUND: there is no directory. PERMISSION_DENIED: this process may not
// look into it.
absl::StatusOr<LeftDirectory> ReadLeftDirectory(const std::string& path);

}  // namespace warmpool::gc

#endif  // WARMPOOL_CLIENT_CLI_GC_LEFT_FILES_H_
