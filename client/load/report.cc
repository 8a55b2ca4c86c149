#include "client/load/report.h"

#include "client/load/latency.h"

namespace warmpool {
namespace {

void FillSettings(const LoadOptions& options, load::Settings* settings) {
  settings->set_target(options.target);
  settings->set_scenario(AbslUnparseFlag(options.scenario.kind));
  settings->set_clients(static_cast<uint32_t>(options.clients));
  settings->set_processes(options.processes);
  if (options.scenario.kind != ScenarioKind::kMixed) {
    settings->set_size_bytes(options.scenario.size_bytes);
  }
  settings->set_live(options.scenario.live);
  settings->set_iterations(options.scenario.leases.value_or(0));
  if (options.duration != absl::InfiniteDuration()) {
    settings->set_duration_seconds(absl::ToDoubleSeconds(options.duration));
  }
  settings->set_leases_per_second(options.leases_per_second);
  settings->set_touch(AbslUnparseFlag(options.touch));
  settings->set_seed(options.seed);
}

}  // namespace

load::LoadReport MakeReport(const LoadOptions& options,
                            const Measurement& measured) {
  load::LoadReport report;
  FillSettings(options, report.mutable_settings());
  const double seconds = absl::ToDoubleSeconds(measured.elapsed);
  const auto leases = static_cast<double>(measured.leases());
  report.set_seconds(seconds);
  report.set_leases(measured.leases());
  if (seconds > 0) report.set_leases_per_second(leases / seconds);
  report.set_leases_warm(measured.warm);
  report.set_leases_stock(measured.stock);
  report.set_leases_fresh(measured.fresh);
  if (leases > 0) {
    report.set_hit_ratio(static_cast<double>(measured.warm) / leases);
  }
  *report.mutable_lease() = ToLatency(measured.lease);
  *report.mutable_first_touch() = ToLatency(measured.first_touch);
  *report.mutable_release() = ToLatency(measured.release);
  for (const auto& [key, failure] : measured.failures) {
    load::Failure* const added = report.add_failures();
    added->set_operation(OperationName(key.first));
    added->set_code(absl::StatusCodeToString(key.second));
    added->set_count(failure.count);
    added->set_message(failure.message);
  }
  return report;
}

}  // namespace warmpool
