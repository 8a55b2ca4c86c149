// What a hostile process tells, and the list of its attacks.
#include "tests/torture/hostile/hostile_client.h"

#include <optional>

#include "gtest/gtest.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using Kind = HostileReport::Kind;

TEST(HostileReportTest, ALineTellsAllOfIt) {
  const HostileReport reports[] = {
      {.kind = Kind::kBegin, .attack = 3},
      {.kind = Kind::kEnd, .attack = 15, .requests = 7, .refusals = 5},
      {.kind = Kind::kBreach, .text = "open of another uid's file succeeds"}};
  for (const HostileReport& report : reports) {
    const auto read = HostileReport::FromLine(report.ToLine());
    ASSERT_TRUE(read.has_value()) << report.ToLine();
    EXPECT_EQ(read->kind, report.kind);
    EXPECT_EQ(read->attack, report.attack);
    EXPECT_EQ(read->requests, report.requests);
    EXPECT_EQ(read->refusals, report.refusals);
    EXPECT_EQ(read->text, report.text);
  }
}

TEST(HostileReportTest, AnythingElseIsNone) {
  for (const char* const line : {"", "begin", "begin 0", "begin 16", "begin a",
                                 "end 1 2", "end 1 2 b"}) {
    EXPECT_FALSE(HostileReport::FromLine(line).has_value()) << line;
  }
}

TEST(AttacksTest, TheirNumbersHaveNoGap) {
  int number = 0;
  for (const Attack& attack : AllAttacks()) {
    EXPECT_EQ(attack.number, ++number) << attack.name;
  }
}

}  // namespace
}  // namespace warmpool::torture
