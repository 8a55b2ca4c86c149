// What a check says, for tests to compare.
#ifndef WARMPOOL_TESTS_CLIENT_CLI_DOCTOR_VERDICTS_H_
#define WARMPOOL_TESTS_CLIENT_CLI_DOCTOR_VERDICTS_H_

#include <ostream>

#include "absl/strings/string_view.h"
#include "client/cli/doctor/check.h"
#include "gmock/gmock-matchers.h"

namespace warmpool::doctor {

inline std::ostream& operator<<(std::ostream& out, const Check& check) {
  static constexpr const char* kVerdicts[] = {"ok", "warn", "fail"};
  return out << kVerdicts[static_cast<int>(check.verdict)] << " " << check.name
             << ": " << check.value << " -> " << check.remedy;
}

// The check of that name; a failure of the test if it is not there.
inline Check Named(absl::string_view name, const Checks& checks) {
  for (const Check& check : checks) {
    if (check.name == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return Check();
}

// Nothing is to mend.
MATCHER(IsOk, "is ok") {
  return arg.verdict == Verdict::kOk && arg.remedy.empty();
}
// Text of the value and of the remedy.
MATCHER_P2(Warns, value, remedy, "is warn") {
  return arg.verdict == Verdict::kWarn &&
         arg.value.find(value) != std::string::npos &&
         arg.remedy.find(remedy) != std::string::npos;
}
MATCHER_P2(Fails, value, remedy, "is fail") {
  return arg.verdict == Verdict::kFail &&
         arg.value.find(value) != std::string::npos &&
         arg.remedy.find(remedy) != std::string::npos;
}

}  // namespace warmpool::doctor

#endif  // WARMPOOL_TESTS_CLIENT_CLI_DOCTOR_VERDICTS_H_
