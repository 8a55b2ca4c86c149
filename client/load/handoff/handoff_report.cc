#include "client/load/handoff/handoff_report.h"

#include "client/load/latency.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

void FillSettings(const HandoffOptions& options,
                  load::HandoffSettings* settings) {
  settings->set_target(options.target);
  for (const Via via : options.vias.list) settings->add_vias(ViaName(via));
  settings->set_pairs(static_cast<uint32_t>(options.pairs));
  settings->set_size_bytes(options.bytes);
  settings->set_iterations(options.rounds.value_or(0));
  if (options.duration != absl::InfiniteDuration()) {
    settings->set_duration_seconds(absl::ToDoubleSeconds(options.duration));
  }
  settings->set_seed(options.seed);
  settings->set_lease_cache(options.lease_cache);
}

load::ViaReport ReportOf(Via via, const ViaMeasurement& measured) {
  load::ViaReport report;
  report.set_via(ViaName(via));
  report.set_rounds(measured.rounds());
  report.set_gib_per_second(measured.bytes_per_second / kGiB);
  *report.mutable_hand_over() = ToLatency(measured.hand_over);
  *report.mutable_message() = ToLatency(measured.message);
  *report.mutable_renew() = ToLatency(measured.renew);
  *report.mutable_get() = ToLatency(measured.get);
  *report.mutable_fill() = ToLatency(measured.fill);
  *report.mutable_read() = ToLatency(measured.read);
  *report.mutable_give_back() = ToLatency(measured.give_back);
  *report.mutable_trip() = ToLatency(measured.trip);
  return report;
}

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

void FillRatios(const ViaMeasurement* unary, const ViaMeasurement& measured,
                load::ViaReport* report) {
  const auto quantile = [](const Histogram& histogram, double which) {
    return absl::ToDoubleMicroseconds(histogram.Quantile(which));
  };
  report->set_hand_over_by_renew(
      Ratio(quantile(measured.hand_over, 0.5), quantile(measured.renew, 0.5)));
  report->set_hand_over_by_message(Ratio(quantile(measured.hand_over, 0.5),
                                         quantile(measured.message, 0.5)));
  if (unary == nullptr || measured.rounds() == 0) return;
  report->set_hand_over_gain(Ratio(quantile(unary->hand_over, 0.5),
                                   quantile(measured.hand_over, 0.5)));
  report->set_hand_over_p99_gain(Ratio(quantile(unary->hand_over, 0.99),
                                       quantile(measured.hand_over, 0.99)));
  report->set_throughput_gain(
      Ratio(measured.bytes_per_second, unary->bytes_per_second));
}

}  // namespace

load::HandoffReport MakeHandoffReport(const HandoffOptions& options,
                                      const PairMeasurement& measured) {
  load::HandoffReport report;
  FillSettings(options, report.mutable_settings());
  report.set_seconds(absl::ToDoubleSeconds(measured.elapsed));
  const auto unary = measured.vias.find(Via::kGrpcUnary);
  for (const auto& [via, one] : measured.vias) {
    load::ViaReport& added = *report.add_vias();
    added = ReportOf(via, one);
    FillRatios(unary == measured.vias.end() ? nullptr : &unary->second, one,
               &added);
  }
  return report;
}

}  // namespace warmpool
