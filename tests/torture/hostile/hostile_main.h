// The torture program with --hostile_uid: in the driver's role, or in that of
// one of its processes.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_MAIN_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_MAIN_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace warmpool::torture {

// Flags that the program has anyway.
struct HostileArguments {
  absl::Duration run_for = {};
  // 0: one is drawn.
  uint64_t seed = 0;
  std::string daemon_path = {};
  // Of a process: the daemon's.
  std::string target = {};
};

// Whether --hostile_uid is given.
bool IsHostile();

// The program's exit code.
int HostileMain(const HostileArguments& arguments,
                const std::atomic<bool>* interrupted);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_MAIN_H_
