// FileId: which file it is, for as long as it exists.
#ifndef WARMPOOL_CLIENT_CLI_GC_FILE_ID_H_
#define WARMPOOL_CLIENT_CLI_GC_FILE_ID_H_

#include <compare>
#include <cstdint>

namespace warmpool::gc {

struct FileId {
  // As stat(2) has them.
  uint64_t device = 0;
  uint64_t inode = 0;

  friend auto operator<=>(const FileId&, const FileId&) = default;
};

}  // namespace warmpool::gc

#endif  // WARMPOOL_CLIENT_CLI_GC_FILE_ID_H_
