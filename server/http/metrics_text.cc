#include "server/http/metrics_text.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/http/metric_families.h"

namespace warmpool {
namespace {

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + 1e-9 * duration.nanos();
}

std::string CodeName(int code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

void AddDaemon(const v1::GetStatsResponse& stats, MetricFamilies* families) {
  families->Gauge("uptime_seconds", "Time since the daemon started");
  families->Add({}, Seconds(stats.uptime()));
  families->Gauge("draining", "1 if no lease is granted any more");
  families->Add({}, stats.draining());
  families->Counter("log_lines_dropped_total",
                    "Lines of the log that could not be written");
  families->Add({}, stats.log_lines_dropped());
}

void AddBytes(const v1::ByteAccount& bytes, MetricFamilies* families) {
  families->Gauge("capacity_bytes", "Bytes of all segments together at most");
  families->Add({}, bytes.capacity_bytes());
  families->Gauge("memory_bytes",
                  "Where the bytes of the capacity are; they add up to it");
  families->Add({{"state", "leased"}}, bytes.leased_bytes());
  families->Add({{"state", "retained"}}, bytes.retained_bytes());
  families->Add({{"state", "batched"}}, bytes.batched_bytes());
  families->Add({{"state", "stock"}}, bytes.stock_bytes());
  families->Add({{"state", "quarantined"}}, bytes.quarantined_bytes());
  families->Add({{"state", "overhead"}}, bytes.overhead_bytes());
  families->Add({{"state", "free"}}, bytes.free_bytes());
  families->Gauge("idle_in_clients_bytes",
                  "The part of the leased bytes that lies in clients' lease "
                  "caches, as reported last");
  families->Add({}, bytes.idle_in_clients_bytes());
  families->Gauge("filesystem_free_bytes",
                  "What the filesystem of the segments has free");
  families->Add({}, bytes.filesystem_free_bytes());
}

void AddLeases(const v1::LeaseCounts& leases, MetricFamilies* families) {
  families->Gauge("leases", "Live leases");
  families->Add({}, leases.live_leases());
  families->Gauge("recovering_leases",
                  "Live leases of an earlier daemon whose holder has not shown "
                  "itself to this one");
  families->Add({}, leases.recovering_leases());
  families->Gauge("buffers", "Buffers with a lease");
  families->Add({}, leases.live_buffers());
  families->Gauge("holders", "Client processes");
  families->Add({}, leases.holders());
  families->Gauge("waiting_attaches", "Attaches that wait for their buffer");
  families->Add({}, leases.waiting_attaches());
  families->Counter("leases_granted_total",
                    "Leases by how much was paid for their pages before; the "
                    "share of warm ones is the hit ratio");
  families->Add({{"warmth", "warm"}}, leases.granted_warm());
  families->Add({{"warmth", "stock"}}, leases.granted_stock());
  families->Add({{"warmth", "fresh"}}, leases.granted_fresh());
  families->Counter("leases_attached_total",
                    "Leases on buffers that others had leased");
  families->Add({}, leases.granted_attached());
  families->Counter("leases_refused_total", "Refused requests for a lease");
  families->Add({{"cause", "invalid"}}, leases.refused_invalid());
  families->Add({{"cause", "exhausted"}}, leases.refused_exhausted());
  families->Add({{"cause", "name_taken"}}, leases.refused_name_taken());
  families->Add({{"cause", "draining"}}, leases.refused_draining());
  families->Add({{"cause", "other"}}, leases.refused_other());
  families->Counter("leases_ended_total", "Ended leases");
  families->Add({{"cause", "released"}}, leases.released());
  families->Add({{"cause", "expired"}}, leases.expired());
  families->Add({{"cause", "revoked"}}, leases.revoked());
  families->Add({{"cause", "holder_died"}}, leases.holder_died());
  families->Add({{"cause", "unused"}}, leases.unused());
  families->Add({{"cause", "handed_over"}}, leases.handed_over());
  families->Add({{"cause", "unclaimed"}}, leases.unclaimed());
  families->Add({{"cause", "linger_ended"}}, leases.linger_ended());
  families->Gauge("unheld_leases",
                  "Live leases that no process has: tickets, and leases that "
                  "keep a sealed buffer");
  families->Add({{"state", "ticket"}}, leases.live_tickets());
  families->Add({{"state", "lingering"}}, leases.live_lingering());
  families->Gauge("unheld_bytes", "Bytes of the segments of those");
  families->Add({{"state", "ticket"}}, leases.ticket_bytes());
  families->Add({{"state", "lingering"}}, leases.lingering_bytes());
  families->Counter("leases_renewed_total", "Renewals");
  families->Add({}, leases.renewed());
  families->Counter("leases_recovered_total",
                    "Leases taken up from an earlier daemon");
  families->Add({{"by", "journal"}}, leases.recovered());
  families->Add({{"by", "client"}}, leases.asserted());
  families->Counter("buffers_sealed_total", "Buffers sealed");
  families->Add({}, leases.sealed());
  families->Counter("tickets_total", "Tickets made");
  families->Add({}, leases.tickets());
  families->Counter("tickets_claimed_total", "Tickets claimed");
  families->Add({}, leases.claimed());
  families->Counter("journal_failed_writes_total",
                    "Ends and renewals that the journal did not take");
  families->Add({}, leases.failed_journal_writes());
  families->Counter("journal_waits_total",
                    "Requests that waited for room in the journal");
  families->Add({}, leases.journal_waits());
}

void AddRefusal(const http::Status& status, absl::Time now,
                MetricFamilies* families) {
  if (!status.stats().has_last_refusal()) return;
  const v1::Refusal& refusal = status.stats().last_refusal();
  families->Gauge("last_refusal_timestamp_seconds",
                  "When a request for a lease was refused last, and with which "
                  "code");
  // To the second, or it would change a little with each look.
  families->Add({{"code", CodeName(refusal.code())}},
                std::round(absl::ToDoubleSeconds(now - absl::UnixEpoch()) -
                           Seconds(refusal.age())));
  if (!status.holders_shown()) return;
  families->Gauge("last_refusal_info",
                  "The last refused request for a lease: why, and whose");
  families->Add({{"code", CodeName(refusal.code())},
                 {"message", refusal.message()},
                 {"size_bytes", absl::StrCat(refusal.size_bytes())},
                 {"pid", absl::StrCat(refusal.pid())},
                 {"uid", absl::StrCat(refusal.uid())},
                 {"command", refusal.command()}},
                1);
}

std::string ClassLabel(const v1::SizeClassStats& size_class) {
  return absl::StrCat(size_class.segment_bytes());
}

void AddClassBytes(const v1::GetStatsResponse& stats,
                   MetricFamilies* families) {
  families->Gauge("size_class_bytes",
                  "Bytes of the segments of a size class, by state");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    const auto add = [&](const char* state, uint64_t bytes) {
      families->Add({{"size_class", ClassLabel(one)}, {"state", state}}, bytes);
    };
    add("leased", one.leased_bytes());
    add("retained", one.retained_bytes());
    add("batched", one.batched_bytes());
    add("stock", one.stock_bytes());
    add("quarantined", one.quarantined_bytes());
  }
  families->Gauge("size_class_idle_in_clients_bytes",
                  "The part of a size class's leased bytes that lies in "
                  "clients' lease caches");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    families->Add({{"size_class", ClassLabel(one)}},
                  one.idle_in_clients_bytes());
  }
  families->Counter("size_class_leases_granted_total",
                    "As leases_granted_total, by size class");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    const auto add = [&](const char* warmth, uint64_t count) {
      families->Add({{"size_class", ClassLabel(one)}, {"warmth", warmth}},
                    count);
    };
    add("warm", one.granted_warm());
    add("stock", one.granted_stock());
    add("fresh", one.granted_fresh());
  }
}

void AddBigCache(const v1::GetStatsResponse& stats, MetricFamilies* families) {
  families->Gauge("bigcache_segments", "Segments in the rings of a size class");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    families->Add({{"size_class", ClassLabel(one)}},
                  one.bigcache().retained_segments());
  }
  families->Gauge("bigcache_slots",
                  "Segments that the rings of a size class may hold");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    families->Add({{"size_class", ClassLabel(one)}}, one.ring_slots());
  }
  families->Counter("bigcache_hits_total", "Retained segments leased again");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    families->Add({{"size_class", ClassLabel(one)}}, one.bigcache().hits());
  }
  families->Counter("bigcache_misses_total",
                    "Requests that no retained segment met");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    const auto add = [&](const char* cause, uint64_t count) {
      families->Add({{"size_class", ClassLabel(one)}, {"cause", cause}}, count);
    };
    add("empty", one.bigcache().misses_empty());
    add("zeroed", one.bigcache().misses_zeroed());
  }
  families->Counter("bigcache_failed_proofs_total",
                    "Kept segments that somebody else had open or mapped");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    families->Add({{"size_class", ClassLabel(one)}},
                  one.bigcache().failed_proofs());
  }
  families->Counter("bigcache_evictions_total",
                    "Cold evictions from BigCache to Batch");
  for (const v1::SizeClassStats& one : stats.size_classes()) {
    const auto add = [&](const char* reason, uint64_t count) {
      families->Add({{"size_class", ClassLabel(one)}, {"reason", reason}},
                    count);
    };
    add("ring_full", one.bigcache().evicted_ring_full());
    add("byte_cap", one.bigcache().evicted_byte_cap());
    add("decayed", one.bigcache().evicted_decayed());
    add("for_room", one.bigcache().evicted_for_room());
    add("drained", one.bigcache().evicted_drained());
    add("pressure", one.bigcache().evicted_pressure());
    add("trimmed", one.bigcache().evicted_trimmed());
  }
}

void AddBatch(const v1::BatchCounts& batch, MetricFamilies* families) {
  families->Histogram("batch_flush_blocks",
                      "Blocks (segments) that were ended together");
  families->AddFlushSizes(batch);
  families->Gauge("batch_waiting_blocks",
                  "Blocks that wait to be ended, or are being ended");
  families->Add({}, batch.blocks_waiting());
  families->Counter("batch_added_blocks_total", "Blocks given to Batch");
  families->Add({}, batch.blocks_added());
  families->Counter("batch_added_bytes_total",
                    "Bytes of the blocks given to Batch");
  families->Add({}, batch.bytes_added());
  families->Counter("batch_crossings_total",
                    "Adds that brought a batch to its threshold");
  families->Add({}, batch.crossings());
  families->Counter("batch_small_blocks_ended_total",
                    "Blocks below 64 KiB, ended at once");
  families->Add({}, batch.small_blocks_ended());
  families->Counter("batch_failed_calls_total",
                    "Steps of an ending that the kernel refused");
  families->Add({}, batch.failed_calls());
}

const char* StepName(v1::StepStats::Step step) {
  switch (step) {
    case v1::StepStats::STEP_MAKE: return "make";
    case v1::StepStats::STEP_MAKE_ROOM: return "make_room";
    case v1::StepStats::STEP_FLUSH: return "flush";
    default: return "unknown";
  }
}

void AddLatencies(const v1::GetStatsResponse& stats, MetricFamilies* families) {
  families->Histogram("rpc_duration_seconds",
                      "From when the daemon has a request to when it hands "
                      "over the answer");
  for (const v1::RpcStats& rpc : stats.rpcs()) {
    families->Add({{"method", rpc.method()}}, rpc.latency());
  }
  families->Counter("rpcs_total", "Answers by their code");
  for (const v1::RpcStats& rpc : stats.rpcs()) {
    for (const v1::RpcStats::Outcome& outcome : rpc.outcomes()) {
      families->Add(
          {{"method", rpc.method()}, {"code", CodeName(outcome.code())}},
          outcome.count());
    }
  }
  families->Histogram("step_duration_seconds",
                      "Making a segment for a lease, making room for one, "
                      "ending a batch");
  for (const v1::StepStats& step : stats.steps()) {
    families->Add({{"step", StepName(step.step())}}, step.latency());
  }
  families->Counter("system_calls_total", "System calls of the memory layer");
  for (const v1::SystemCallCount& call : stats.system_calls()) {
    families->Add({{"call", call.name()}}, call.count());
  }
  families->Histogram("system_call_duration_seconds",
                      "Those of them that make and end memory");
  for (const v1::SystemCallCount& call : stats.system_calls()) {
    if (!call.has_latency() || call.count() == 0) continue;
    families->Add({{"call", call.name()}}, call.latency());
  }
}

void AddTheRest(const v1::GetStatsResponse& stats, MetricFamilies* families) {
  families->Gauge("quarantined_segments",
                  "Segments that somebody still has though their lease has "
                  "ended, and unknown files");
  families->Add({}, stats.quarantine().quarantined_segments());
  families->Counter("quarantine_failed_set_asides_total",
                    "Failed attempts to move one out of reach");
  families->Add({}, stats.quarantine().failed_set_asides());
  families->Counter("large_segments_made_total",
                    "Segments of 2 MiB and more, by the pages they came to");
  families->Add({{"pages", "huge"}}, stats.huge_pages().huge_segments());
  families->Add({{"pages", "small"}}, stats.huge_pages().small_segments());
  families->Counter("memory_pressure_events_total",
                    "Times that the machine was short of memory");
  families->Add({}, stats.memory_pressure().events());
  families->Counter("memory_pressure_ended_bytes_total",
                    "Bytes that were given back at those");
  families->Add({}, stats.memory_pressure().ended_bytes());
}

void AddHolders(const http::Status& status, MetricFamilies* families) {
  const auto labels = [](const v1::HolderUsage& holder) {
    return MetricFamilies::Labels{{"pid", absl::StrCat(holder.pid())},
                                  {"uid", absl::StrCat(holder.uid())},
                                  {"command", holder.command()}};
  };
  families->Gauge("holder_leased_bytes", "Bytes leased by a process");
  for (const v1::HolderUsage& holder : status.holders()) {
    families->Add(labels(holder), holder.leased_bytes());
  }
  families->Gauge("holder_idle_bytes",
                  "The part of them that lies in its lease caches");
  for (const v1::HolderUsage& holder : status.holders()) {
    families->Add(labels(holder), holder.idle_bytes());
  }
  families->Gauge("holder_leases", "Leases of a process");
  for (const v1::HolderUsage& holder : status.holders()) {
    families->Add(labels(holder), holder.leases());
  }
}

}  // namespace

std::string MetricsText(const http::Status& status, absl::Time now) {
  const v1::GetStatsResponse& stats = status.stats();
  MetricFamilies families;
  AddDaemon(stats, &families);
  AddBytes(stats.bytes(), &families);
  AddLeases(stats.leases(), &families);
  AddRefusal(status, now, &families);
  AddClassBytes(stats, &families);
  AddBigCache(stats, &families);
  AddBatch(stats.batch(), &families);
  AddLatencies(stats, &families);
  AddTheRest(stats, &families);
  AddHolders(status, &families);
  return families.ToText();
}

}  // namespace warmpool
