#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/load/handoff/handoff_report.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr absl::string_view kIndent = "  ";

std::string SettingsLine(const load::HandoffReport& report) {
  const load::HandoffSettings& settings = report.settings();
  return absl::StrFormat(
      "handoff: %s %s, %s%s, %.2f s%s\n", FormatCount(settings.pairs()),
      settings.pairs() == 1 ? "pair" : "pairs",
      FormatByteSize(settings.size_bytes()),
      settings.lease_cache() ? ", lease cache" : "", report.seconds(),
      report.interrupted() ? " (interrupted)" : "");
}

std::string Text(double us) { return FormatLatency(absl::Microseconds(us)); }

// "-" where there is nothing to compare with.
std::string Times(double ratio) {
  return ratio > 0 ? absl::StrFormat("%.2f", ratio) : "-";
}

std::string SummaryText(const load::HandoffReport& report) {
  Table table("lrrrrrrrrr");
  table.AddRow(
      {"", "hand-over", "", "", "against grpc_unary", "", "", "hand-over", ""});
  table.AddRow({"", "p50", "p99", "GiB/s", "p50", "p99", "GiB/s", "/ renew",
                "/ message", "rounds"});
  for (const load::ViaReport& via : report.vias()) {
    table.AddRow({via.via(), Text(via.hand_over().p50_us()),
                  Text(via.hand_over().p99_us()),
                  absl::StrFormat("%.2f", via.gib_per_second()),
                  Times(via.hand_over_gain()), Times(via.hand_over_p99_gain()),
                  Times(via.throughput_gain()), Times(via.hand_over_by_renew()),
                  Times(via.hand_over_by_message()),
                  FormatCount(via.rounds())});
  }
  return table.ToString(kIndent);
}

void AddPart(const load::Latency& latency, std::vector<std::string>* cells) {
  const bool any = latency.count() > 0;
  cells->push_back(any ? Text(latency.p50_us()) : "-");
  cells->push_back(any ? Text(latency.p99_us()) : "-");
}

std::string PartsText(const load::HandoffReport& report) {
  Table table("lrrrrrrrrrrrr");
  table.AddRow({"", "message", "", "renew", "", "get", "", "fill", "", "read",
                "", "give back"});
  table.AddRow({"", "p50", "p99", "p50", "p99", "p50", "p99", "p50", "p99",
                "p50", "p99", "p50", "p99"});
  for (const load::ViaReport& via : report.vias()) {
    std::vector<std::string> cells = {via.via()};
    for (const load::Latency* part :
         {&via.message(), &via.renew(), &via.get(), &via.fill(), &via.read(),
          &via.give_back()}) {
      AddPart(*part, &cells);
    }
    table.AddRow(std::move(cells));
  }
  return table.ToString(kIndent);
}

}  // namespace

std::string HandoffReportText(const load::HandoffReport& report) {
  std::string text = absl::StrCat(SettingsLine(report), "\n",
                                  SummaryText(report), "\n", PartsText(report));
  if (report.failures_size() > 0) absl::StrAppend(&text, "\n");
  for (const std::string& failure : report.failures()) {
    absl::StrAppend(&text, kIndent, "failed: ", failure, "\n");
  }
  return text;
}

}  // namespace warmpool
