// gmock matchers for absl::Status and absl::StatusOr, which this Abseil does
// not bring.
#ifndef WARMPOOL_TESTS_CORE_BASE_STATUS_MATCHERS_H_
#define WARMPOOL_TESTS_CORE_BASE_STATUS_MATCHERS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock-matchers.h"

namespace warmpool {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}

template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return arg.ok();
}

// `message` is a string or a matcher of strings.
MATCHER_P2(StatusIs, code, message, "") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::Matches(message)(std::string(status.message()));
}

MATCHER_P(StatusIs, code, "") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_BASE_STATUS_MATCHERS_H_
