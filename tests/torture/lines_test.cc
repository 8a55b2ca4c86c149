// Reports and commands survive the way through a pipe.
#include "gtest/gtest.h"
#include "tests/torture/command_input.h"
#include "tests/torture/report.h"

namespace warmpool::torture {
namespace {

constexpr RandomId kLease{.high = 1, .low = 2};

TEST(ReportTest, SurvivesItsLine) {
  const Report report{.kind = Report::Kind::kGranted,
                      .time = absl::FromUnixMicros(1234567),
                      .request = 3,
                      .lease = kLease,
                      .generation = 4,
                      .bytes = 5,
                      .inode = 6,
                      .ttl = absl::Milliseconds(7),
                      .renewed = true,
                      .code = absl::StatusCode::kNotFound,
                      .text = "two words"};
  const std::optional<Report> read = Report::FromLine(report.ToLine());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->kind, report.kind);
  EXPECT_EQ(read->time, report.time);
  EXPECT_EQ(read->lease, report.lease);
  EXPECT_EQ(read->inode, report.inode);
  EXPECT_EQ(read->ttl, report.ttl);
  EXPECT_EQ(read->code, report.code);
  EXPECT_EQ(read->text, report.text);
  EXPECT_EQ(read->ToLine(), report.ToLine());
}

TEST(ReportTest, IsOneLineThatAPipeTakesWhole) {
  const Report report{.text = "a\nb" + std::string(10000, 'x')};
  EXPECT_EQ(report.ToLine().find('\n'), std::string::npos);
  EXPECT_LT(report.ToLine().size(), 4096u);
}

TEST(ReportTest, RefusesWhatIsNone) {
  EXPECT_FALSE(Report::FromLine("").has_value());
  EXPECT_FALSE(Report::FromLine("1 granted 2").has_value());
  std::string line = Report{.lease = kLease}.ToLine();
  EXPECT_TRUE(Report::FromLine(line).has_value());
  EXPECT_FALSE(Report::FromLine("x" + line).has_value());
}

TEST(CommandTest, SurvivesItsLine) {
  const Command attach{
      .kind = Command::Kind::kAttach, .name = "client-1/2", .stamper = kLease};
  const std::optional<Command> read = Command::FromLine(attach.ToLine());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->kind, attach.kind);
  EXPECT_EQ(read->name, attach.name);
  EXPECT_EQ(read->stamper, attach.stamper);
  const Command claim{.kind = Command::Kind::kClaim,
                      .number = 7,
                      .name = "0123",
                      .stamper = kLease};
  EXPECT_EQ(Command::FromLine(claim.ToLine())->ToLine(), claim.ToLine());
  EXPECT_EQ(Command::FromLine("pause 12")->number, 12u);
  EXPECT_FALSE(Command::FromLine("pause").has_value());
  EXPECT_FALSE(Command::FromLine("attach name").has_value());
}

}  // namespace
}  // namespace warmpool::torture
