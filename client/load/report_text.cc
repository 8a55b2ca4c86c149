#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/load/report.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr absl::string_view kIndent = "  ";

std::string SettingsLine(const load::Settings& settings) {
  std::vector<std::string> parts = {
      absl::StrCat(FormatCount(settings.clients()), " client",
                   settings.processes() ? " process" : "",
                   settings.clients() == 1 ? ""
                   : settings.processes()  ? "es"
                                           : "s"),
      settings.size_bytes() > 0 ? FormatByteSize(settings.size_bytes())
                                : "64 KiB to 64 MiB",
      absl::StrCat(FormatCount(settings.live()), " live each"),
      absl::StrCat("touch ", settings.touch()),
  };
  if (settings.leases_per_second() > 0) {
    parts.push_back(
        absl::StrCat("at ", settings.leases_per_second(), " leases/s"));
  }
  return absl::StrCat(settings.scenario(), ": ", absl::StrJoin(parts, ", "),
                      "\n");
}

std::string SummaryText(const load::LoadReport& report) {
  Table table("lrl");
  table.AddRow({"leases", FormatCount(report.leases()),
                absl::StrFormat("%.0f/s for %.2f s%s",
                                report.leases_per_second(), report.seconds(),
                                report.interrupted() ? " (interrupted)" : "")});
  table.AddRow({"hit ratio", FormatShare(report.leases_warm(), report.leases()),
                FormatCounts({{"warm", report.leases_warm()},
                              {"stock", report.leases_stock()},
                              {"fresh", report.leases_fresh()}})});
  return table.ToString(kIndent);
}

void AddLatency(absl::string_view name, const load::Latency& latency,
                Table* table) {
  if (latency.count() == 0) return;
  const auto text = [](double us) {
    return FormatLatency(absl::Microseconds(us));
  };
  table->AddRow({std::string(name), text(latency.p50_us()),
                 text(latency.p90_us()), text(latency.p99_us()),
                 text(latency.p999_us()), text(latency.max_us()),
                 FormatCount(latency.count())});
}

std::string LatencyText(const load::LoadReport& report) {
  Table table("lrrrrrr");
  table.AddRow({"", "p50", "p90", "p99", "p99.9", "max", "count"});
  AddLatency("lease", report.lease(), &table);
  AddLatency("first touch", report.first_touch(), &table);
  AddLatency("release", report.release(), &table);
  return table.ToString(kIndent);
}

std::string FailuresText(const load::LoadReport& report) {
  Table table("lrll");
  for (const load::Failure& failure : report.failures()) {
    table.AddRow({absl::StrCat(failure.operation(), " failed"),
                  FormatCount(failure.count()), failure.code(),
                  absl::StrCat("such as: ", failure.message())});
  }
  const std::string text = table.ToString(kIndent);
  return text.empty() ? "" : absl::StrCat("\n", text);
}

std::string SystemCallsText(const v1::GetStatsResponse& server) {
  std::vector<std::string> calls;
  for (const v1::SystemCallCount& call : server.system_calls()) {
    if (call.count() == 0) continue;
    calls.push_back(absl::StrCat(call.name(), " ", FormatCount(call.count())));
  }
  return absl::StrJoin(calls, ", ");
}

// The daemon's own counts.
std::string ServerText(const load::LoadReport& report) {
  if (!report.has_server()) return "";
  const v1::BigCacheCounts& bigcache = report.server().bigcache();
  const v1::BatchCounts& batch = report.server().batch();
  Table table("ll");
  table.AddRow(
      {"BigCache", FormatCounts({{"hits", bigcache.hits()},
                                 {"misses", bigcache.misses_empty() +
                                                bigcache.misses_zeroed()},
                                 {"retained", bigcache.retained_segments()},
                                 {"evictions", bigcache.evictions()}})});
  table.AddRow({"evicted for",
                FormatCounts({{"full ring", bigcache.evicted_ring_full()},
                              {"byte cap", bigcache.evicted_byte_cap()},
                              {"decay", bigcache.evicted_decayed()},
                              {"room", bigcache.evicted_for_room()},
                              {"drain", bigcache.evicted_drained()},
                              {"pressure", bigcache.evicted_pressure()}})});
  table.AddRow(
      {"Batch", FormatCounts({{"blocks added", batch.blocks_added()},
                              {"crossings", batch.crossings()},
                              {"flushes", batch.flushes()},
                              {"blocks flushed", batch.blocks_flushed()},
                              {"waiting", batch.blocks_waiting()}})});
  const v1::HugePageCounts& huge_pages = report.server().huge_pages();
  table.AddRow(
      {"huge pages",
       FormatCounts({{"segments", huge_pages.huge_segments()},
                     {"small instead", huge_pages.small_segments()}})});
  table.AddRow({"system calls", SystemCallsText(report.server())});
  return absl::StrCat("\n", kIndent, "daemon, ",
                      report.server_restarted()
                          ? "since it was started during this run"
                          : "during this run",
                      "\n", table.ToString(kIndent));
}

}  // namespace

std::string ReportText(const load::LoadReport& report) {
  return absl::StrCat(SettingsLine(report.settings()), "\n",
                      SummaryText(report), "\n", LatencyText(report),
                      FailuresText(report), ServerText(report));
}

}  // namespace warmpool
