// Plan: what is to run on this machine, or runs already. Checks judge what they
// find by it.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_PLAN_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_PLAN_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace warmpool::doctor {

struct Plan {
  std::string shm_dir = "";
  // Whose the daemon is.
  uid_t daemon_uid = 0;
  // A daemon listens: what is taken may be its own.
  bool daemon_runs = false;
  // Its number; nullopt: none runs, or it has none here.
  std::optional<pid_t> daemon_pid = std::nullopt;
  // Live at a time.
  uint64_t buffers = 0;
  // nullopt: what the daemon takes by itself.
  std::optional<uint64_t> capacity_bytes = std::nullopt;
  // What a process is to be able to lock.
  uint64_t locked_bytes = 0;
  // Stands before the path of every file that the kernel or the system's
  // configuration tells something in, so that a test has its own.
  std::string root = "";

  // The process whose limits count, as a name in /proc: the daemon, or this
  // one, which would start it.
  std::string Process() const {
    return daemon_pid.has_value() ? std::to_string(*daemon_pid) : "self";
  }
};

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_PLAN_H_
