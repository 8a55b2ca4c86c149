#include "client/cli/shutdown_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cli/figures.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

// Those who hold the most.
constexpr int kHoldersShown = 10;

constexpr char kKept[] = "kept";
constexpr char kRepeated[] = "repeated";
constexpr char kAsserted[] = "asserted";
constexpr char kLost[] = "lost";

void Add(absl::string_view what, uint64_t count, uint64_t bytes,
         absl::string_view outcome, absl::string_view note,
         cli::ShutdownPlan* plan) {
  cli::ShutdownItem& item = *plan->add_items();
  item.set_what(std::string(what));
  item.set_count(count);
  item.set_bytes(bytes);
  item.set_outcome(std::string(outcome));
  item.set_note(std::string(note));
}

uint64_t Less(uint64_t all, uint64_t part) { return all - std::min(all, part); }

void AddLeases(const v1::GetStatsResponse& stats,
               const v1::ListHoldersResponse& holders, bool revoke,
               cli::ShutdownPlan* plan) {
  const v1::LeaseCounts& leases = stats.leases();
  uint64_t unseen = 0, unseen_bytes = 0;
  for (const v1::HolderUsage& holder : holders.holders()) {
    if (!holder.not_recognisable()) continue;
    unseen += holder.leases();
    unseen_bytes += holder.leased_bytes();
  }
  const uint64_t unheld = leases.live_tickets() + leases.live_lingering();
  const uint64_t unheld_bytes =
      leases.ticket_bytes() + leases.lingering_bytes();
  const char* const kept = revoke ? kLost : kKept;
  const char* const how =
      revoke ? "--revoke ends them; their holders are told"
             : "the next daemon on the same directory takes them up";
  Add("leases", Less(leases.live_leases(), unheld + unseen),
      Less(stats.bytes().leased_bytes(), unheld_bytes + unseen_bytes), kept,
      how, plan);
  Add("leases of processes that are not recognised", unseen, unseen_bytes,
      revoke ? kLost : kAsserted,
      revoke
          ? how
          : "kept if their clients state them to the next daemon, as the C++ "
            "library does",
      plan);
  Add("tickets", leases.live_tickets(), leases.ticket_bytes(), kept,
      revoke ? "--revoke ends them"
             : "good at the next daemon, with a full time "
               "to live from its start",
      plan);
  Add("lingering buffers", leases.live_lingering(), leases.lingering_bytes(),
      kept,
      revoke ? "--revoke ends them"
             : "kept by the next daemon, for their full time from its start",
      plan);
}

}  // namespace

cli::ShutdownPlan MakeShutdownPlan(const v1::GetStatsResponse& stats,
                                   const v1::ListHoldersResponse& holders,
                                   bool revoke) {
  cli::ShutdownPlan plan;
  plan.set_pid(stats.pid());
  plan.set_revoke(revoke);
  plan.set_drain_seconds(
      absl::ToDoubleSeconds(ToDuration(stats.drain_timeout())));
  AddLeases(stats, holders, revoke, &plan);
  Add("waits to attach", stats.leases().waiting_attaches(), 0, kRepeated,
      "the C++ library asks the next daemon again; other clients get "
      "UNAVAILABLE",
      &plan);
  Add("warm memory", stats.bigcache().retained_segments(),
      stats.bytes().retained_bytes() + stats.bytes().stock_bytes() +
          stats.bytes().batched_bytes(),
      kLost,
      "given back to the system: the next daemon's first leases are cold",
      &plan);
  Add("quarantine", stats.quarantine().quarantined_segments(),
      stats.bytes().quarantined_bytes(), revoke ? kLost : kKept,
      revoke ? "--revoke ends it, mapped or not"
             : "the next daemon keeps it from everybody, too",
      &plan);
  Add("streams of events and statistics", 0, 0, kLost,
      "they end; their readers must open them again", &plan);
  Add("statistics, and a log level that was set", 0, 0, kLost,
      "the next daemon begins anew", &plan);
  const int shown = std::min(kHoldersShown, holders.holders_size());
  plan.mutable_holders()->Add(holders.holders().begin(),
                              holders.holders().begin() + shown);
  plan.set_total_holders(holders.total_holders());
  return plan;
}

std::string ShutdownPlanText(const cli::ShutdownPlan& plan) {
  Table items("lrrll");
  items.AddRow({"WHAT", "COUNT", "BYTES", "OUTCOME", ""});
  for (const cli::ShutdownItem& item : plan.items()) {
    const bool counted = item.count() > 0 || item.bytes() > 0;
    items.AddRow({item.what(), counted ? FormatCount(item.count()) : "-",
                  item.bytes() > 0 ? FormatByteSize(item.bytes()) : "-",
                  item.outcome(), item.note()});
  }
  std::string text =
      absl::StrCat("If the daemon (pid ", plan.pid(), ") stopped",
                   plan.revoke() ? " with --revoke" : "", " at this moment:\n",
                   items.ToString());
  if (plan.drain_seconds() > 0) {
    absl::StrAppend(&text, "Before that it waits for leases to be released, ",
                    FormatAge(absl::Seconds(plan.drain_seconds())),
                    " at most (--drain_timeout), and grants none meanwhile.\n");
  }
  if (plan.holders().empty()) return text;
  Table holders("rrlrr");
  holders.AddRow({"PID", "UID", "COMMAND", "LEASES", "LEASED"});
  for (const v1::HolderUsage& holder : plan.holders()) {
    holders.AddRow({absl::StrCat(holder.pid()), absl::StrCat(holder.uid()),
                    holder.command().empty() ? "?" : holder.command(),
                    FormatCount(holder.leases()),
                    FormatByteSize(holder.leased_bytes())});
  }
  absl::StrAppend(&text, "\nHolders, ", plan.holders_size(), " of ",
                  FormatCount(plan.total_holders()), ":\n", holders.ToString());
  return text;
}

}  // namespace warmpool
