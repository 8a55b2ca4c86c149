// What a run amounts to, for people and for programs.
#ifndef WARMPOOL_TESTS_TORTURE_SUMMARY_H_
#define WARMPOOL_TESTS_TORTURE_SUMMARY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/torture/driver.h"
#include "tests/torture/model/model.h"

namespace warmpool::torture {

struct Summary {
  absl::Status status = {};
  uint64_t seed = 0;
  absl::Duration ran_for = {};
  Driver::Counts driver = {};
  Model::Counts model = {};
  absl::Duration longest_daemon_start = {};
};

// "daemon kills 12, ..." in a line.
std::string ToText(const Summary& summary);
// One object in one line; durations in milliseconds.
std::string ToJson(const Summary& summary);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_SUMMARY_H_
