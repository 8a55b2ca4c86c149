#include "client/load/handoff/handoff_report.h"

#include "client/tool/json.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ViaMeasurement Some(absl::Duration hand_over, double bytes_per_second) {
  ViaMeasurement measured;
  for (int i = 0; i < 1500; ++i) {
    measured.hand_over.Record(hand_over);
    measured.message.Record(absl::Microseconds(40));
    measured.trip.Record(2 * hand_over);
  }
  measured.bytes_per_second = bytes_per_second;
  return measured;
}

PairMeasurement SomePair() {
  PairMeasurement measured;
  measured.vias[Via::kWarmpool] = Some(absl::Microseconds(200), 8e9);
  for (int i = 0; i < 1500; ++i) {
    measured.vias[Via::kWarmpool].renew.Record(absl::Microseconds(50));
  }
  measured.vias[Via::kGrpcUnary] = Some(absl::Milliseconds(2), 1e9);
  measured.elapsed = absl::Milliseconds(500);
  return measured;
}

HandoffOptions SomeOptions() {
  HandoffOptions options;
  options.vias.list = {Via::kWarmpool, Via::kGrpcUnary};
  options.bytes = 16 << 20;
  options.pairs = 2;
  return options;
}

TEST(HandoffReportTest, TellsEachWayAndHowItComparesWithOneGrpcMessage) {
  const load::HandoffReport report =
      MakeHandoffReport(SomeOptions(), SomePair());
  EXPECT_EQ(report.settings().pairs(), 2u);
  EXPECT_EQ(report.settings().size_bytes(), 16u << 20);
  EXPECT_EQ(report.settings().vias(1), "grpc_unary");
  EXPECT_EQ(report.seconds(), 0.5);
  ASSERT_EQ(report.vias_size(), 2);
  const load::ViaReport& pool = report.vias(0);
  EXPECT_EQ(pool.via(), "warmpool");
  EXPECT_EQ(pool.rounds(), 1500u);
  EXPECT_NEAR(pool.hand_over().p50_us(), 200, 2);
  EXPECT_NEAR(pool.hand_over_gain(), 10, 0.2);
  EXPECT_NEAR(pool.hand_over_p99_gain(), 10, 0.2);
  EXPECT_NEAR(pool.throughput_gain(), 8, 1e-9);
  EXPECT_NEAR(pool.hand_over_by_renew(), 4, 0.1);
  EXPECT_EQ(report.vias(1).hand_over_gain(), 1);
  EXPECT_EQ(report.vias(1).hand_over_by_renew(), 0);
}

TEST(HandoffReportTest, WithoutThatMessageThereIsNothingToCompareWith) {
  PairMeasurement measured = SomePair();
  measured.vias.erase(Via::kGrpcUnary);
  const load::HandoffReport report = MakeHandoffReport(SomeOptions(), measured);
  EXPECT_EQ(report.vias(0).hand_over_gain(), 0);
  EXPECT_EQ(report.vias(0).throughput_gain(), 0);
}

TEST(HandoffReportTest, TextHasTheSameFigures) {
  load::HandoffReport report = MakeHandoffReport(SomeOptions(), SomePair());
  const std::string text = HandoffReportText(report);
  EXPECT_THAT(text, HasSubstr("handoff: 2 pairs, 16 MiB, 0.50 s"));
  EXPECT_THAT(text, HasSubstr("against grpc_unary"));
  EXPECT_THAT(text, HasSubstr("7.45"));
  EXPECT_THAT(text, HasSubstr("1,500"));
  EXPECT_THAT(text, HasSubstr("give back"));
  EXPECT_THAT(text, Not(HasSubstr("failed")));
  report.add_failures("consumer 0: process 7 was ended by signal 9");
  report.set_interrupted(true);
  EXPECT_THAT(HandoffReportText(report),
              HasSubstr("failed: consumer 0: process 7 was ended"));
  EXPECT_THAT(HandoffReportText(report), HasSubstr("(interrupted)"));
}

TEST(HandoffReportTest, JsonHasTheNamesOfTheFields) {
  const std::string json = ToJson(MakeHandoffReport(SomeOptions(), SomePair()));
  EXPECT_THAT(json, HasSubstr("\"hand_over_by_renew\""));
  EXPECT_THAT(json, HasSubstr("\"gib_per_second\""));
}

TEST(ViaMeasurementTest, SurvivesThePipe) {
  PairMeasurement measured = SomePair();
  measured.status = absl::DataLossError("page 3");
  const PairMeasurement read = FromParts(ToParts(measured));
  EXPECT_EQ(read.status, measured.status);
  EXPECT_EQ(read.elapsed, measured.elapsed);
  ASSERT_EQ(read.vias.size(), 2u);
  EXPECT_EQ(read.vias.at(Via::kWarmpool).rounds(), 1500u);
  EXPECT_EQ(read.vias.at(Via::kWarmpool).renew.max(), absl::Microseconds(50));
  EXPECT_EQ(read.vias.at(Via::kGrpcUnary).bytes_per_second, 1e9);
}

TEST(ViaMeasurementTest, PairsAddUp) {
  ViaMeasurement one = Some(absl::Microseconds(200), 8e9);
  one.Merge(Some(absl::Microseconds(100), 2e9));
  EXPECT_EQ(one.rounds(), 3000u);
  EXPECT_EQ(one.bytes_per_second, 1e10);
  EXPECT_EQ(one.hand_over.min(), absl::Microseconds(100));
}

}  // namespace
}  // namespace warmpool
