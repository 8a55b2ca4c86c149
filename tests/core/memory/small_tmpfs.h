// SmallTmpfs: a filesystem of a test's own that can really be full.
#ifndef WARMPOOL_TESTS_CORE_MEMORY_SMALL_TMPFS_H_
#define WARMPOOL_TESTS_CORE_MEMORY_SMALL_TMPFS_H_

#include <string>

#include "tests/core/memory/scratch_directory.h"

namespace warmpool {

// Mounted where this process alone sees it: gone when the process is.
class SmallTmpfs {
 public:
  // `options` are tmpfs(5)'s: "size=8m". `type`: of another filesystem in
  // memory.
  explicit SmallTmpfs(const std::string& options,
                      const std::string& type = "tmpfs");
  ~SmallTmpfs();
  SmallTmpfs(const SmallTmpfs&) = delete;
  SmallTmpfs& operator=(const SmallTmpfs&) = delete;

  // Why there is none: neither root nor a user namespace was to be had. Empty
  // if it is mounted.
  const std::string& problem() const { return problem_; }
  std::string Join(const std::string& name) const;

 private:
  ScratchDirectory scratch_;
  std::string problem_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_MEMORY_SMALL_TMPFS_H_
