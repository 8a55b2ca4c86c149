#include "tests/torture/mapped_file.h"

#include <fstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace warmpool::torture {

MappedFile FindMappedFile(const void* address) {
  const std::string start =
      absl::StrFormat("%x-", reinterpret_cast<uintptr_t>(address));
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.compare(0, start.size(), start) != 0) continue;
    // "7f00-7f10 rw-s 00000000 00:2a 1234   /dev/shm/x".
    const std::vector<std::string> fields =
        absl::StrSplit(line, absl::MaxSplits(' ', 5), absl::SkipEmpty());
    MappedFile file;
    if (fields.size() == 6 && absl::SimpleAtoi(fields[4], &file.inode)) {
      file.path = fields[5].substr(fields[5].find('/'));
    }
    return file;
  }
  return {};
}

}  // namespace warmpool::torture
