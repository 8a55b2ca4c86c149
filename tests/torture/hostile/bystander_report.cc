#include "tests/torture/hostile/bystander_report.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace warmpool::torture {
namespace {

using Kind = BystanderReport::Kind;

constexpr char kBreachWord[] = "breach ";

std::optional<BystanderReport> GrantFrom(
    Kind kind, const std::vector<absl::string_view>& words) {
  BystanderReport report = {.kind = kind};
  int64_t begin = 0;
  int64_t end = 0;
  if (words.size() != 4 || !absl::SimpleAtoi(words[1], &report.size) ||
      report.size >= kBystanderSizes.size() ||
      !absl::SimpleAtoi(words[2], &begin) ||
      !absl::SimpleAtoi(words[3], &end)) {
    return std::nullopt;
  }
  report.begin = absl::FromUnixNanos(begin);
  report.end = absl::FromUnixNanos(end);
  return report;
}

}  // namespace

std::string BystanderReport::ToLine() const {
  switch (kind) {
    case Kind::kReady: return "ready";
    case Kind::kDone: return "done";
    case Kind::kBreach:
      return absl::StrCat(kBreachWord,
                          absl::StrReplaceAll(text, {{"\n", " "}}));
    case Kind::kWarm:
    case Kind::kCold: break;
  }
  return absl::StrCat(kind == Kind::kWarm ? "warm " : "cold ", size, " ",
                      absl::ToUnixNanos(begin), " ", absl::ToUnixNanos(end));
}

std::optional<BystanderReport> BystanderReport::FromLine(
    absl::string_view line) {
  if (line == "ready") return BystanderReport{.kind = Kind::kReady};
  if (line == "done") return BystanderReport{.kind = Kind::kDone};
  if (absl::ConsumePrefix(&line, kBreachWord)) {
    return BystanderReport{.kind = Kind::kBreach, .text = std::string(line)};
  }
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  if (words[0] == "warm") return GrantFrom(Kind::kWarm, words);
  if (words[0] == "cold") return GrantFrom(Kind::kCold, words);
  return std::nullopt;
}

}  // namespace warmpool::torture
