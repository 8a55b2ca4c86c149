#include "tests/torture/resident_memory.h"

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace warmpool::torture {

uint64_t ResidentBytes(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  uint64_t kib = 0;
  for (std::string word; status >> word;) {
    if (word == "VmRSS:" && status >> kib) return kib << 10;
  }
  return 0;
}

}  // namespace warmpool::torture
