// What a daemon left, and who has it, as `warmpool gc` prints it.
#ifndef WARMPOOL_CLIENT_CLI_GC_REPORT_H_
#define WARMPOOL_CLIENT_CLI_GC_REPORT_H_

#include <string>

#include "client/cli/gc/file_users.h"
#include "client/cli/gc/left_files.h"
#include "client/cli/output.pb.h"

namespace warmpool::gc {

cli::LeftoverReport MakeReport(const std::string& shm_dir,
                               const LeftDirectory& directory,
                               const FileUsers& users);

// A table of the files, one of the processes that have any, and what to do.
std::string ReportText(const cli::LeftoverReport& report);

}  // namespace warmpool::gc

#endif  // WARMPOOL_CLIENT_CLI_GC_REPORT_H_
