// What is in an open directory.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_NAMES_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace warmpool {

// All names but "." and "..", in no order. `path` is what messages call the
// directory.
absl::StatusOr<std::vector<std::string>> NamesIn(int directory_fd,
                                                 const std::string& path);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_NAMES_H_
