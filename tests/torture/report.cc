#include "tests/torture/report.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace warmpool::torture {
namespace {

// By Kind.
constexpr absl::string_view kKindNames[] = {
    "asking",  "granted",   "refused",    "unsure",     "found",
    "stamped", "releasing", "released",   "unreleased", "renewed",
    "lost",    "checked",   "fork-holds", "fork-done",  "breach",
    "paused",  "forking",   "promised",   "sealing",    "sealed",
    "reading", "ticketing", "ticketed",   "claiming",
};

// Pipes are written whole up to 4 KiB (PIPE_BUF).
constexpr size_t kLongestText = 3000;
constexpr size_t kFields = 11;

}  // namespace

std::string Report::ToLine() const {
  std::string line = absl::StrCat(
      absl::ToUnixMicros(time), " ", kKindNames[static_cast<size_t>(kind)], " ",
      request, " ", lease.ToHex(), " ", generation, " ", bytes, " ");
  absl::StrAppend(&line, inode, " ", absl::ToInt64Milliseconds(ttl), " ",
                  renewed ? 1 : 0, " ", static_cast<int>(code), " ");
  absl::StrAppend(
      &line, absl::StrReplaceAll(text.substr(0, kLongestText), {{"\n", " "}}));
  return line;
}

std::optional<Report> Report::FromLine(absl::string_view line) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits(' ', kFields - 1));
  if (fields.size() != kFields) return std::nullopt;
  const auto kind =
      std::find(std::begin(kKindNames), std::end(kKindNames), fields[1]);
  const std::optional<RandomId> lease = RandomId::FromHex(fields[3]);
  if (kind == std::end(kKindNames) || !lease.has_value()) return std::nullopt;
  Report report;
  report.kind = static_cast<Kind>(kind - std::begin(kKindNames));
  report.lease = *lease;
  int64_t time_us;
  int64_t ttl_ms;
  int code;
  if (!absl::SimpleAtoi(fields[0], &time_us) ||
      !absl::SimpleAtoi(fields[2], &report.request) ||
      !absl::SimpleAtoi(fields[4], &report.generation) ||
      !absl::SimpleAtoi(fields[5], &report.bytes) ||
      !absl::SimpleAtoi(fields[6], &report.inode) ||
      !absl::SimpleAtoi(fields[7], &ttl_ms) ||
      !absl::SimpleAtob(fields[8], &report.renewed) ||
      !absl::SimpleAtoi(fields[9], &code)) {
    return std::nullopt;
  }
  report.time = absl::FromUnixMicros(time_us);
  report.ttl = absl::Milliseconds(ttl_ms);
  report.code = static_cast<absl::StatusCode>(code);
  report.text = std::string(fields[10]);
  return report;
}

}  // namespace warmpool::torture
