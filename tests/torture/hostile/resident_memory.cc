#include "tests/torture/hostile/resident_memory.h"

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace warmpool::torture {

uint64_t ResidentBytes(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  uint64_t all_kib = 0;
  uint64_t shared_kib = 0;
  for (std::string word; status >> word;) {
    if (word == "VmRSS:") status >> all_kib;
    if (word == "RssShmem:") status >> shared_kib;
  }
  return (all_kib - shared_kib) << 10;
}

}  // namespace warmpool::torture
