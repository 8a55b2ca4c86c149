#include "tests/torture/hostile/hostile_client.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using Kind = HostileReport::Kind;

constexpr char kBreachWord[] = "breach ";
constexpr int kShortestMs = 200;
constexpr int kLongestMs = 1500;

void Tell(int output, const HostileReport& report) {
  const std::string line = report.ToLine() + "\n";
  // If nobody reads any more, this process is about to be killed.
  (void)!write(output, line.data(), line.size());
}

}  // namespace

std::string HostileReport::ToLine() const {
  switch (kind) {
    case Kind::kBegin: return absl::StrCat("begin ", attack);
    case Kind::kEnd:
      return absl::StrCat("end ", attack, " ", requests, " ", refusals);
    case Kind::kBreach: break;
  }
  return absl::StrCat(kBreachWord, absl::StrReplaceAll(text, {{"\n", " "}}));
}

std::optional<HostileReport> HostileReport::FromLine(absl::string_view line) {
  HostileReport report;
  if (absl::ConsumePrefix(&line, kBreachWord)) {
    report.kind = Kind::kBreach;
    report.text = std::string(line);
    return report;
  }
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  const bool begins = words[0] == "begin" && words.size() == 2;
  const bool ends = words[0] == "end" && words.size() == 4;
  if ((!begins && !ends) || !absl::SimpleAtoi(words[1], &report.attack) ||
      report.attack < 1 ||
      static_cast<size_t>(report.attack) > AllAttacks().size()) {
    return std::nullopt;
  }
  if (begins) return report;
  report.kind = Kind::kEnd;
  if (!absl::SimpleAtoi(words[2], &report.requests) ||
      !absl::SimpleAtoi(words[3], &report.refusals)) {
    return std::nullopt;
  }
  return report;
}

int HostileClient(const Attacker::Options& options,
                  const std::vector<int>& attacks, int output) {
  Attacker attacker(options);
  for (;;) {
    const int number = attacks[attacker.Draw(attacks.size())];
    const uint64_t requests = attacker.requests();
    const uint64_t refusals = attacker.refusals();
    Tell(output, {.kind = Kind::kBegin, .attack = number});
    attacker.LastFor(absl::Milliseconds(
        kShortestMs + attacker.Draw(kLongestMs - kShortestMs)));
    AllAttacks()[static_cast<size_t>(number) - 1].run(&attacker);
    Tell(output, {.kind = Kind::kEnd,
                  .attack = number,
                  .requests = attacker.requests() - requests,
                  .refusals = attacker.refusals() - refusals});
    if (attacker.breach().empty()) continue;
    Tell(output, {.kind = Kind::kBreach, .text = attacker.breach()});
    return kBreachFound;
  }
}

}  // namespace warmpool::torture
