#include "client/cli/shutdown_plan.h"

#include <map>
#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::GetStatsResponse Stats() {
  v1::GetStatsResponse stats;
  stats.set_pid(12);
  v1::LeaseCounts& leases = *stats.mutable_leases();
  leases.set_live_leases(10);
  leases.set_live_tickets(2);
  leases.set_ticket_bytes(2 << 20);
  leases.set_live_lingering(1);
  leases.set_lingering_bytes(1 << 20);
  leases.set_waiting_attaches(4);
  stats.mutable_bytes()->set_leased_bytes(20 << 20);
  stats.mutable_bytes()->set_retained_bytes(3 << 20);
  stats.mutable_bytes()->set_stock_bytes(1 << 20);
  return stats;
}

v1::ListHoldersResponse Holders() {
  v1::ListHoldersResponse holders;
  v1::HolderUsage& seen = *holders.add_holders();
  seen.set_pid(30);
  seen.set_leases(4);
  seen.set_leased_bytes(12 << 20);
  v1::HolderUsage& unseen = *holders.add_holders();
  unseen.set_leases(3);
  unseen.set_leased_bytes(5 << 20);
  unseen.set_not_recognisable(true);
  holders.set_total_holders(2);
  return holders;
}

std::map<std::string, cli::ShutdownItem> ItemsOf(
    const cli::ShutdownPlan& plan) {
  std::map<std::string, cli::ShutdownItem> items;
  for (const cli::ShutdownItem& item : plan.items()) items[item.what()] = item;
  return items;
}

TEST(ShutdownPlanTest, EachLeaseCountsOnceAndSaysWhatBecomesOfIt) {
  const auto items = ItemsOf(MakeShutdownPlan(Stats(), Holders(), false));
  EXPECT_EQ(items.at("leases").count(), 4u);
  EXPECT_EQ(items.at("leases").bytes(), 12u << 20);
  EXPECT_EQ(items.at("leases").outcome(), "kept");
  const auto& unseen = items.at("leases of processes that are not recognised");
  EXPECT_EQ(unseen.count(), 3u);
  EXPECT_EQ(unseen.outcome(), "asserted");
  EXPECT_EQ(items.at("tickets").count(), 2u);
  EXPECT_EQ(items.at("tickets").outcome(), "kept");
  EXPECT_EQ(items.at("lingering buffers").bytes(), 1u << 20);
  EXPECT_EQ(items.at("waits to attach").count(), 4u);
  EXPECT_EQ(items.at("waits to attach").outcome(), "repeated");
  EXPECT_EQ(items.at("warm memory").bytes(), 4u << 20);
  EXPECT_EQ(items.at("warm memory").outcome(), "lost");
}

TEST(ShutdownPlanTest, WithRevokeNoLeaseIsKept) {
  const auto items = ItemsOf(MakeShutdownPlan(Stats(), Holders(), true));
  for (const std::string what :
       {"leases", "leases of processes that are not recognised", "tickets",
        "lingering buffers", "quarantine"}) {
    EXPECT_EQ(items.at(what).outcome(), "lost") << what;
  }
}

TEST(ShutdownPlanTest, TheTextNamesTheHoldersAndTheDrain) {
  v1::GetStatsResponse stats = Stats();
  const std::string text =
      ShutdownPlanText(MakeShutdownPlan(stats, Holders(), false));
  EXPECT_THAT(text, HasSubstr("If the daemon (pid 12) stopped at this moment"));
  EXPECT_THAT(text, HasSubstr("Holders, 2 of 2:"));
  EXPECT_THAT(text, Not(HasSubstr("--drain_timeout")));
  stats.mutable_drain_timeout()->set_seconds(30);
  EXPECT_THAT(ShutdownPlanText(MakeShutdownPlan(stats, Holders(), false)),
              HasSubstr("30s at most (--drain_timeout)"));
}

}  // namespace
}  // namespace warmpool
