#include "tests/torture/hostile/bystander_report.h"

#include <optional>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace warmpool::torture {
namespace {

using Kind = BystanderReport::Kind;

TEST(BystanderReportTest, ALineTellsAllOfIt) {
  for (const Kind kind :
       {Kind::kReady, Kind::kWarm, Kind::kCold, Kind::kDone, Kind::kBreach}) {
    BystanderReport report = {.kind = kind};
    if (kind == Kind::kWarm || kind == Kind::kCold) {
      report.size = 2;
      report.begin = absl::FromUnixNanos(1'000'000'001);
      report.end = absl::FromUnixNanos(1'000'123'456);
    }
    if (kind == Kind::kBreach) report.text = "a lease was refused";
    const std::optional<BystanderReport> read =
        BystanderReport::FromLine(report.ToLine());
    ASSERT_TRUE(read.has_value()) << report.ToLine();
    EXPECT_EQ(read->kind, report.kind);
    EXPECT_EQ(read->size, report.size);
    EXPECT_EQ(read->begin, report.begin);
    EXPECT_EQ(read->end, report.end);
    EXPECT_EQ(read->text, report.text);
  }
}

TEST(BystanderReportTest, ABreachIsOneLine) {
  const BystanderReport report = {.kind = Kind::kBreach, .text = "one\ntwo"};
  EXPECT_EQ(report.ToLine(), "breach one two");
}

TEST(BystanderReportTest, AnythingElseIsNone) {
  for (const char* const line :
       {"", "warm", "warm 1 2", "warm 3 1 2", "cold a 1 2", "ready now"}) {
    EXPECT_EQ(BystanderReport::FromLine(line), std::nullopt) << line;
  }
}

}  // namespace
}  // namespace warmpool::torture
