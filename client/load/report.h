// The report of a run, and how a person reads it.
#ifndef WARMPOOL_CLIENT_LOAD_REPORT_H_
#define WARMPOOL_CLIENT_LOAD_REPORT_H_

#include <string>

#include "client/load/load_options.h"
#include "client/load/measurement.h"
#include "client/load/report.pb.h"

namespace warmpool {

// All but what the daemon tells.
load::LoadReport MakeReport(const LoadOptions& options,
                            const Measurement& measured);

// As tables.
std::string ReportText(const load::LoadReport& report);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_REPORT_H_
