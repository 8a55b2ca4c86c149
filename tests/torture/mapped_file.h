// Which file a process has mapped at an address.
#ifndef WARMPOOL_TESTS_TORTURE_MAPPED_FILE_H_
#define WARMPOOL_TESTS_TORTURE_MAPPED_FILE_H_

#include <cstdint>
#include <string>

namespace warmpool::torture {

struct MappedFile {
  // 0: none starts there.
  uint64_t inode = 0;
  std::string path = {};
};

// The file whose mapping in this process starts at `address`.
MappedFile FindMappedFile(const void* address);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_MAPPED_FILE_H_
