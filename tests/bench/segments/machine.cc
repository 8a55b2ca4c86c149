#include "tests/bench/segments/machine.h"

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/bench/allocators/counters.h"

namespace warmpool::bench {
namespace {

std::string FirstLineOf(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

void PrintMachine() {
  std::printf(
      "%s; of shared memory: %s; load average %s\n", DescribeMachine().c_str(),
      FirstLineOf("/sys/kernel/mm/transparent_hugepage/shmem_enabled").c_str(),
      FirstLineOf("/proc/loadavg").c_str());
}

}  // namespace warmpool::bench
