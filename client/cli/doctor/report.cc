#include "client/cli/doctor/report.h"

#include "absl/strings/str_cat.h"
#include "client/tool/table.h"

namespace warmpool::doctor {
namespace {

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "ok";
    case Verdict::kWarn: return "warn";
    case Verdict::kFail: return "fail";
  }
  return "unknown";
}

}  // namespace

cli::DoctorReport MakeReport(const Checks& checks) {
  cli::DoctorReport report;
  for (const Check& check : checks) {
    cli::DoctorCheck* const made = report.add_checks();
    made->set_name(check.name);
    made->set_verdict(VerdictName(check.verdict));
    made->set_value(check.value);
    made->set_remedy(check.remedy);
    for (const CheckedProcess& process : check.processes) {
      cli::CheckedProcess* const told = made->add_processes();
      told->set_pid(process.pid);
      told->set_uid(process.uid);
      told->set_command(process.command);
      told->set_bytes(process.bytes);
    }
    if (check.verdict == Verdict::kWarn) report.set_warned(report.warned() + 1);
    if (check.verdict == Verdict::kFail) report.set_failed(report.failed() + 1);
  }
  return report;
}

std::string ReportText(const cli::DoctorReport& report) {
  Table table("lll");
  for (const cli::DoctorCheck& check : report.checks()) {
    table.AddRow({check.verdict(), check.name(), check.value()});
    if (!check.remedy().empty()) table.AddRow({"", "", "-> " + check.remedy()});
  }
  return absl::StrCat(table.ToString(), report.checks_size(), " checks, ",
                      report.warned(), " warn, ", report.failed(), " fail\n");
}

}  // namespace warmpool::doctor
