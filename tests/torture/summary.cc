#include "tests/torture/summary.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace warmpool::torture {
namespace {

using Figures = std::vector<std::pair<std::string, int64_t>>;

Figures FiguresOf(const Summary& summary) {
  const auto count = [](uint64_t value) { return static_cast<int64_t>(value); };
  const Driver::Counts& driver = summary.driver;
  const Model::Counts& model = summary.model;
  return {{"daemon_kills", count(driver.daemon_kills)},
          {"daemon_failpoints", count(driver.daemon_failpoints)},
          {"daemon_terms", count(driver.daemon_terms)},
          {"client_kills", count(driver.client_kills)},
          {"client_stops", count(driver.client_stops)},
          {"fills", count(driver.fills)},
          {"leases", count(model.leases)},
          {"attached", count(model.attached)},
          {"released", count(model.released)},
          {"renewed", count(model.renewed)},
          {"refused", count(model.refused)},
          {"unanswered", count(model.unanswered)},
          {"expired", count(model.expired)},
          {"sealed", count(model.sealed)},
          {"read", count(model.read)},
          {"read_late", count(model.read_late)},
          {"tickets", count(model.tickets)},
          {"claimed", count(model.claimed)},
          {"claims_refused", count(model.claims_refused)},
          {"reused", count(model.reused)},
          {"forks", count(model.forks)},
          {"bytes_checked", count(model.bytes_checked)},
          {"checks", count(driver.checks)},
          {"snapshots", count(driver.snapshots)},
          {"reports", count(driver.reports)},
          {"most_remembered", count(driver.most_remembered)},
          {"longest_blindness_ms",
           absl::ToInt64Milliseconds(driver.longest_blindness)},
          {"longest_death_ms", absl::ToInt64Milliseconds(driver.longest_death)},
          {"longest_daemon_start_ms",
           absl::ToInt64Milliseconds(summary.longest_daemon_start)},
          {"ran_for_ms", absl::ToInt64Milliseconds(summary.ran_for)}};
}

}  // namespace

std::string ToText(const Summary& summary) {
  return absl::StrJoin(
      FiguresOf(summary), ", ", [](std::string* text, const auto& figure) {
        absl::StrAppend(text, absl::StrReplaceAll(figure.first, {{"_", " "}}),
                        " ", figure.second);
      });
}

std::string ToJson(const Summary& summary) {
  return absl::StrCat("{\"ok\":", summary.status.ok() ? "true" : "false",
                      ",\"seed\":", summary.seed, ",",
                      absl::StrJoin(FiguresOf(summary), ",",
                                    [](std::string* text, const auto& figure) {
                                      absl::StrAppend(text, "\"", figure.first,
                                                      "\":", figure.second);
                                    }),
                      "}");
}

}  // namespace warmpool::torture
