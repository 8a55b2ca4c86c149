// Check: one thing that a daemon or its clients need of the machine, looked at.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_CHECK_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_CHECK_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace warmpool::doctor {

enum class Verdict {
  kOk,
  // It works, but slower, for fewer, or not for ever.
  kWarn,
  // It does not work, or not as planned.
  kFail,
};

// A process that a check is about.
struct CheckedProcess {
  int pid = 0;
  uint32_t uid = 0;
  // Empty: not known.
  std::string command;
  // Of what the check is about.
  uint64_t bytes = 0;
};

struct Check {
  // One word for programs: "huge_pages".
  std::string name;
  Verdict verdict = Verdict::kOk;
  // What was found.
  std::string value;
  // The command that mends it, or what else does. Empty: nothing to mend.
  std::string remedy;
  std::vector<CheckedProcess> processes = {};
};

using Checks = std::vector<Check>;

inline Check Ok(std::string name, std::string value) {
  return {std::move(name), Verdict::kOk, std::move(value), "", {}};
}
inline Check Warn(std::string name, std::string value, std::string remedy) {
  return {
      std::move(name), Verdict::kWarn, std::move(value), std::move(remedy), {}};
}
inline Check Fail(std::string name, std::string value, std::string remedy) {
  return {
      std::move(name), Verdict::kFail, std::move(value), std::move(remedy), {}};
}

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_CHECK_H_
