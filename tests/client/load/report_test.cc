#include "client/load/report.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Measurement SomeMeasurement() {
  Measurement measured;
  for (int i = 0; i < 1500; ++i) {
    measured.lease.Record(absl::Microseconds(100));
    measured.release.Record(absl::Microseconds(50));
  }
  measured.warm = 1125;
  measured.fresh = 375;
  measured.elapsed = absl::Milliseconds(500);
  return measured;
}

TEST(ReportTest, TellsRatesAndQuantiles) {
  const load::LoadReport report = MakeReport(LoadOptions(), SomeMeasurement());
  EXPECT_EQ(report.leases(), 1500u);
  EXPECT_EQ(report.seconds(), 0.5);
  EXPECT_EQ(report.leases_per_second(), 3000);
  EXPECT_EQ(report.hit_ratio(), 0.75);
  EXPECT_EQ(report.lease().count(), 1500u);
  EXPECT_EQ(report.lease().max_us(), 100);
  EXPECT_NEAR(report.lease().p999_us(), 100, 1);
  EXPECT_EQ(report.settings().scenario(), "cache_heavy");
  EXPECT_EQ(report.settings().touch(), "pages");
  EXPECT_EQ(report.settings().duration_seconds(), 0);
}

TEST(ReportTest, ARunWithoutLeasesHasARatioOfZero) {
  const load::LoadReport report = MakeReport(LoadOptions(), Measurement());
  EXPECT_EQ(report.hit_ratio(), 0);
  EXPECT_EQ(report.leases_per_second(), 0);
}

TEST(ReportTest, MixedHasNoOneSize) {
  LoadOptions options;
  options.scenario.kind = ScenarioKind::kMixed;
  const load::LoadReport report = MakeReport(options, SomeMeasurement());
  EXPECT_EQ(report.settings().size_bytes(), 0u);
  EXPECT_THAT(ReportText(report), HasSubstr("64 KiB to 64 MiB"));
}

TEST(ReportTest, TextHasTheSameFigures) {
  LoadOptions options;
  options.clients = 2;
  const std::string text = ReportText(MakeReport(options, SomeMeasurement()));
  EXPECT_THAT(text, HasSubstr("cache_heavy: 2 clients, 2 MiB, 10 live each"));
  EXPECT_THAT(text, HasSubstr("leases      1,500  3000/s for 0.50 s"));
  EXPECT_THAT(text, HasSubstr("75.0 %  warm 1,125, stock 0, fresh 375"));
  EXPECT_THAT(text, HasSubstr("release"));
  // Nothing was touched, nothing failed, and no daemon told anything.
  EXPECT_THAT(text, Not(HasSubstr("first touch")));
  EXPECT_THAT(text, Not(HasSubstr("failed")));
  EXPECT_THAT(text, Not(HasSubstr("BigCache")));
}

TEST(ReportTest, FailuresAreToldByOperationAndCode) {
  Measurement measured = SomeMeasurement();
  measured.RecordFailure(Operation::kLease,
                         absl::ResourceExhaustedError("0 bytes are free"));
  const load::LoadReport report = MakeReport(LoadOptions(), measured);
  ASSERT_EQ(report.failures_size(), 1);
  EXPECT_EQ(report.failures(0).operation(), "lease");
  EXPECT_EQ(report.failures(0).code(), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(report.failures(0).count(), 1u);
  EXPECT_THAT(ReportText(report),
              HasSubstr("lease failed  1  RESOURCE_EXHAUSTED  such as: 0 bytes "
                        "are free"));
}

TEST(ReportTest, TheDaemonsCountsAreInTheText) {
  load::LoadReport report = MakeReport(LoadOptions(), SomeMeasurement());
  report.mutable_server()->mutable_bigcache()->set_evictions(96);
  report.mutable_server()->mutable_batch()->set_crossings(48);
  EXPECT_THAT(ReportText(report), HasSubstr("daemon, during this run"));
  EXPECT_THAT(ReportText(report), HasSubstr("evictions 96"));
  EXPECT_THAT(ReportText(report), HasSubstr("crossings 48"));
  report.set_server_restarted(true);
  EXPECT_THAT(ReportText(report), HasSubstr("since it was started"));
}

}  // namespace
}  // namespace warmpool
