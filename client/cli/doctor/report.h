// Checks, as `warmpool doctor` prints them.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_REPORT_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_REPORT_H_

#include <string>

#include "client/cli/doctor/check.h"
#include "client/cli/output.pb.h"

namespace warmpool::doctor {

cli::DoctorReport MakeReport(const Checks& checks);

// A line for each check, those that mend it below.
std::string ReportText(const cli::DoctorReport& report);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_REPORT_H_
