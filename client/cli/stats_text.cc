#include "client/cli/stats_text.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/figures.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr absl::string_view kIndent = "  ";

std::string DaemonText(const v1::GetStatsResponse& stats) {
  return absl::StrCat(
      "daemon: pid ", stats.pid(), ", up ",
      FormatAge(ToDuration(stats.uptime())), ", ",
      stats.draining() ? "draining" : "serving", ", segments in ",
      stats.shm_dir(), "\n",
      stats.metrics_listen().empty()
          ? ""
          : absl::StrCat("status page: http://", stats.metrics_listen(), "/\n"),
      stats.log_lines_dropped() == 0
          ? ""
          : absl::StrCat("log: ", FormatCount(stats.log_lines_dropped()),
                         " lines could not be written\n"));
}

// capacity = leased + retained + ...
std::string BytesText(const v1::ByteAccount& bytes) {
  const std::pair<const char*, uint64_t> parts[] = {
      {"= leased", bytes.leased_bytes()},
      {"+ retained", bytes.retained_bytes()},
      {"+ batched", bytes.batched_bytes()},
      {"+ stock", bytes.stock_bytes()},
      {"+ quarantined", bytes.quarantined_bytes()},
      {"+ overhead", bytes.overhead_bytes()},
      {"+ free", bytes.free_bytes()},
  };
  Table table("lrr");
  table.AddRow({"capacity", FormatByteSize(bytes.capacity_bytes())});
  for (const auto& [name, value] : parts) {
    table.AddRow({name, FormatByteSize(value),
                  FormatShare(value, bytes.capacity_bytes())});
  }
  return absl::StrCat("bytes (", FormatByteSize(bytes.filesystem_free_bytes()),
                      " free in the filesystem)\n", table.ToString(kIndent));
}

std::string LeasesText(const v1::GetStatsResponse& stats) {
  const v1::LeaseCounts& leases = stats.leases();
  Table table("ll");
  table.AddRow(
      {"live", FormatCounts({{"leases", leases.live_leases()},
                             {"recovering", leases.recovering_leases()},
                             {"buffers", leases.live_buffers()},
                             {"holders", leases.holders()}})});
  const auto unheld = [](const char* name, uint64_t count, uint64_t bytes) {
    return absl::StrCat(FormatCounts({{name, count}}), " (",
                        FormatByteSize(bytes), ")");
  };
  table.AddRow({"without a process",
                absl::StrCat(unheld("tickets", leases.live_tickets(),
                                    leases.ticket_bytes()),
                             ", ",
                             unheld("lingering", leases.live_lingering(),
                                    leases.lingering_bytes()))});
  table.AddRow(
      {"granted", FormatCounts({{"warm", leases.granted_warm()},
                                {"stock", leases.granted_stock()},
                                {"fresh", leases.granted_fresh()},
                                {"attached", leases.granted_attached()},
                                {"answered again", leases.replayed()}})});
  table.AddRow(
      {"refused", FormatCounts({{"invalid", leases.refused_invalid()},
                                {"exhausted", leases.refused_exhausted()},
                                {"name taken", leases.refused_name_taken()},
                                {"draining", leases.refused_draining()},
                                {"other", leases.refused_other()}})});
  table.AddRow({"last refusal", LastRefusalText(stats)});
  if (!stats.last_refusal().message().empty()) {
    table.AddRow({"why", stats.last_refusal().message()});
  }
  // The first is the last refusal.
  for (int i = 1; i < stats.refusals_size(); ++i) {
    const v1::Refusal& refusal = stats.refusals(i);
    table.AddRow({absl::StrCat("of uid ", refusal.uid()),
                  absl::StrCat(RefusalText(refusal), ": ", refusal.message())});
  }
  table.AddRow({"hit ratio", HitRatioText(leases)});
  table.AddRow({"renewed", FormatCount(leases.renewed())});
  table.AddRow(
      {"taken over", FormatCounts({{"by the journal", leases.recovered()},
                                   {"by clients", leases.asserted()}})});
  table.AddRow(
      {"ended", FormatCounts({{"released", leases.released()},
                              {"expired", leases.expired()},
                              {"revoked", leases.revoked()},
                              {"holder died", leases.holder_died()},
                              {"unused", leases.unused()},
                              {"unclaimed tickets", leases.unclaimed()},
                              {"lingered", leases.linger_ended()}})});
  return absl::StrCat("leases\n", table.ToString(kIndent));
}

std::string BigCacheText(const v1::BigCacheCounts& counts) {
  const uint64_t misses = counts.misses_empty() + counts.misses_zeroed();
  Table table("ll");
  table.AddRow({"asked", absl::StrCat(FormatCounts({{"hits", counts.hits()},
                                                    {"misses", misses}}),
                                      " (",
                                      FormatCounts({
                                          {"empty", counts.misses_empty()},
                                          {"zeroed", counts.misses_zeroed()},
                                      }),
                                      ")")});
  table.AddRow(
      {"hit ratio", FormatShare(counts.hits(), counts.hits() + misses)});
  table.AddRow(
      {"retained", FormatCounts({{"now", counts.retained_segments()},
                                 {"in all", counts.retained_total()},
                                 {"failed proofs", counts.failed_proofs()}})});
  table.AddRow(
      {"evictions",
       absl::StrCat(FormatCount(counts.evictions()), " (",
                    FormatCounts({{"ring full", counts.evicted_ring_full()},
                                  {"byte cap", counts.evicted_byte_cap()},
                                  {"decayed", counts.evicted_decayed()},
                                  {"for room", counts.evicted_for_room()},
                                  {"drained", counts.evicted_drained()},
                                  {"pressure", counts.evicted_pressure()},
                                  {"trimmed", counts.evicted_trimmed()}}),
                    ")")});
  return absl::StrCat("BigCache\n", table.ToString(kIndent));
}

const char* MethodText(v1::HugePageMethod method) {
  switch (method) {
    case v1::HUGE_PAGE_METHOD_COLLAPSE: return "collapse";
    case v1::HUGE_PAGE_METHOD_MOUNT: return "mount";
    default: return "none";
  }
}

std::string HugePagesText(const v1::HugePageCounts& counts) {
  Table table("ll");
  table.AddRow({"method", MethodText(counts.method())});
  if (!counts.reason().empty()) table.AddRow({"reason", counts.reason()});
  table.AddRow(
      {"made", FormatCounts({{"huge", counts.huge_segments()},
                             {"small instead", counts.small_segments()}})});
  return absl::StrCat("huge pages (segments from 2 MiB)\n",
                      table.ToString(kIndent));
}

std::string MemoryPressureText(const v1::MemoryPressureCounts& counts) {
  Table table("ll");
  table.AddRow({"told by", counts.source() == v1::MEMORY_PRESSURE_SOURCE_PSI
                               ? "the kernel (PSI)"
                               : "the room left"});
  table.AddRow({"events", FormatCount(counts.events())});
  table.AddRow({"ended", FormatByteSize(counts.ended_bytes())});
  return absl::StrCat("memory pressure\n", table.ToString(kIndent));
}

std::string QuarantineText(const v1::QuarantineCounts& counts) {
  Table table("ll");
  table.AddRow(
      {"now", FormatCounts({{"segments", counts.quarantined_segments()}})});
  table.AddRow(
      {"failed", FormatCounts({{"set asides", counts.failed_set_asides()}})});
  if (counts.quarantined_segments() > 0) {
    table.AddRow({"kept by", "warmpool doctor tells which processes"});
  }
  return absl::StrCat("quarantine\n", table.ToString(kIndent));
}

std::string BatchText(const v1::BatchCounts& counts) {
  Table table("ll");
  table.AddRow(
      {"added",
       absl::StrCat(FormatCounts({{"blocks", counts.blocks_added()}}), " (",
                    FormatByteSize(counts.bytes_added()), "), ",
                    FormatCounts({{"crossings", counts.crossings()}}))});
  table.AddRow(
      {"ended", FormatCounts({{"flushes", counts.flushes()},
                              {"blocks", counts.blocks_flushed()},
                              {"largest flush", counts.largest_flush_blocks()},
                              {"small blocks", counts.small_blocks_ended()},
                              {"failed calls", counts.failed_calls()}})});
  table.AddRow({"waiting", FormatCount(counts.blocks_waiting())});
  return absl::StrCat("Batch\n", table.ToString(kIndent));
}

std::string SystemCallsText(const v1::GetStatsResponse& stats) {
  Table table("lr");
  for (const v1::SystemCallCount& call : stats.system_calls()) {
    table.AddRow({call.name(), FormatCount(call.count())});
  }
  return absl::StrCat("system calls\n", table.ToString(kIndent));
}

std::string SizeClassesText(const v1::GetStatsResponse& stats) {
  if (stats.size_classes().empty()) return "";
  Table table("rrrrrrrrrr");
  table.AddRow({"size", "leased", "idle", "retained", "stock", "batched",
                "quarantined", "granted", "hit ratio", "evicted"});
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    const uint64_t granted =
        one.granted_warm() + one.granted_stock() + one.granted_fresh();
    table.AddRow({FormatByteSize(one.segment_bytes()),
                  FormatByteSize(one.leased_bytes()),
                  FormatByteSize(one.idle_in_clients_bytes()),
                  FormatByteSize(one.retained_bytes()),
                  FormatByteSize(one.stock_bytes()),
                  FormatByteSize(one.batched_bytes()),
                  FormatByteSize(one.quarantined_bytes()), FormatCount(granted),
                  FormatShare(one.granted_warm(), granted),
                  FormatCount(one.bigcache().evictions())});
  }
  return absl::StrCat("size classes\n", table.ToString(kIndent), "\n");
}

void AddLatency(const std::string& name, const v1::LatencyHistogram& latency,
                Table* table) {
  if (latency.count() == 0) return;
  const auto format = [](uint64_t ns) {
    return FormatLatency(absl::Nanoseconds(ns));
  };
  table->AddRow({name, FormatCount(latency.count()), format(latency.p50_ns()),
                 format(latency.p99_ns()),
                 format(latency.sum_ns() / latency.count())});
}

const char* StepName(v1::StepStats::Step step) {
  switch (step) {
    case v1::StepStats::STEP_MAKE: return "make a segment";
    case v1::StepStats::STEP_MAKE_ROOM: return "make room";
    case v1::StepStats::STEP_FLUSH: return "flush a batch";
    default: return "unknown";
  }
}

std::string LatenciesText(const v1::GetStatsResponse& stats) {
  Table table("lrrrr");
  table.AddRow({"", "count", "p50", "p99", "mean"});
  for (const v1::RpcStats& rpc : stats.rpcs()) {
    AddLatency(rpc.method(), rpc.latency(), &table);
  }
  for (const v1::StepStats& step : stats.steps()) {
    AddLatency(StepName(step.step()), step.latency(), &table);
  }
  for (const v1::SystemCallCount& call : stats.system_calls()) {
    AddLatency(call.name(), call.latency(), &table);
  }
  return absl::StrCat("latencies since the start\n", table.ToString(kIndent));
}

std::string RecentText(const v1::GetStatsResponse& stats) {
  Table table("ll");
  table.AddRow({"hit ratio", HitRatioText(stats.recent().leases())});
  table.AddRow(
      {"granted", FormatCount(GrantedLeases(stats.recent().leases()))});
  table.AddRow({"Lease", LatencyText(stats.recent().rpcs(), "Lease")});
  table.AddRow({"evicted", FormatCount(stats.recent().bigcache().evictions())});
  table.AddRow({"flushes", FormatCount(stats.recent().batch().flushes())});
  return absl::StrCat(
      "in the last ",
      FormatAge(ToDuration(stats.recent().window()) + absl::Milliseconds(500)),
      "\n", table.ToString(kIndent));
}

}  // namespace

std::string StatsText(const v1::GetStatsResponse& stats) {
  return absl::StrCat(DaemonText(stats), "\n", BytesText(stats.bytes()), "\n",
                      LeasesText(stats), "\n", RecentText(stats), "\n",
                      SizeClassesText(stats), BigCacheText(stats.bigcache()),
                      "\n", QuarantineText(stats.quarantine()), "\n",
                      HugePagesText(stats.huge_pages()), "\n",
                      MemoryPressureText(stats.memory_pressure()), "\n",
                      BatchText(stats.batch()), "\n", LatenciesText(stats),
                      "\n", SystemCallsText(stats));
}

}  // namespace warmpool
