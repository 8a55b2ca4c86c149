// The monotonic clock, which is read for every lease. Jumps of the time of day
// do not matter.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_CLOCK_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_CLOCK_H_

#include <cstdint>
#include <string>

#include "client/cli/doctor/check.h"

namespace warmpool::doctor {

struct ClockReadings {
  // Empty: not known.
  std::string source = "";
  std::string available_sources = "";
  double nanoseconds_each = 0;
};

// `root` stands before the path of the files in /sys.
ClockReadings ReadClock(const std::string& root = "");

Check CheckClock(const ClockReadings& readings);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_CLOCK_H_
