#include "tests/e2e/crew_process.h"

#include <sstream>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "tests/support/runfile.h"

namespace warmpool::testing {

CrewProcess::CrewProcess(const std::string& target, absl::Duration pause)
    : process_({Runfile("tests/e2e/restart_crew"), target,
                absl::StrCat(absl::ToInt64Microseconds(pause))}) {}

CrewProcess::Report CrewProcess::Next() {
  process_.WriteLine("report");
  const std::string line = process_.ReadLine();
  std::istringstream words(line);
  std::string word;
  Report report;
  int64_t probe_us = 0;
  int64_t worst_us = 0;
  words >> word >> report.calls >> word >> report.failed >> word >> probe_us >>
      word >> worst_us;
  if (!words) throw std::runtime_error("the crew has gone: " + line);
  report.probe = absl::Microseconds(probe_us);
  report.worst = absl::Microseconds(worst_us);
  return report;
}

int CrewProcess::Finish() {
  process_.WriteLine("finish");
  return process_.Wait();
}

}  // namespace warmpool::testing
