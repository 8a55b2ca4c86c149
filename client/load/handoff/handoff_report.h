// The report of a run of the scenario handoff, and how a person reads it.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_REPORT_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_REPORT_H_

#include <string>

#include "client/load/handoff/handoff_options.h"
#include "client/load/handoff/handoff_report.pb.h"
#include "client/load/handoff/via_measurement.h"

namespace warmpool {

// All but the failures, and whether it was interrupted.
load::HandoffReport MakeHandoffReport(const HandoffOptions& options,
                                      const PairMeasurement& measured);

// As tables: a row for each via.
std::string HandoffReportText(const load::HandoffReport& report);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_REPORT_H_
