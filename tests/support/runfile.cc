#include "tests/support/runfile.h"

#include <filesystem>

namespace warmpool::testing {

std::string ThisProgram() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::string Runfile(const std::string& name) {
  const std::string beside = ThisProgram() + ".runfiles/warmpool/" + name;
  return std::filesystem::exists(beside) ? beside : name;
}

}  // namespace warmpool::testing
