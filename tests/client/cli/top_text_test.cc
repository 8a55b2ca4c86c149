#include "client/cli/top_text.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

cli::TopFrame Frame() {
  cli::TopFrame frame;
  v1::GetStatsResponse& stats = *frame.mutable_stats();
  stats.set_pid(12);
  stats.mutable_uptime()->set_seconds(100);
  stats.mutable_bytes()->set_capacity_bytes(100 << 20);
  stats.mutable_bytes()->set_leased_bytes(50 << 20);
  stats.mutable_bytes()->set_idle_in_clients_bytes(20 << 20);
  stats.mutable_bytes()->set_free_bytes(50 << 20);
  stats.mutable_leases()->set_granted_warm(900);
  stats.mutable_leases()->set_granted_fresh(100);
  stats.mutable_recent()->mutable_leases()->set_granted_warm(99);
  stats.mutable_recent()->mutable_leases()->set_granted_stock(1);
  const auto add = [&frame](int pid, const char* command, uint64_t leases,
                            uint64_t bytes, uint64_t idle) {
    v1::HolderUsage& holder = *frame.add_holders();
    holder.set_pid(pid);
    holder.set_command(command);
    holder.set_leases(leases);
    holder.set_leased_bytes(bytes);
    holder.set_idle_bytes(idle);
  };
  add(30, "camera", 1, 40 << 20, 0);
  add(20, "encoder", 5, 10 << 20, 8 << 20);
  return frame;
}

int FirstPid(HolderOrder order) {
  cli::TopFrame frame = Frame();
  SortHolders(order, &frame);
  return frame.holders(0).pid();
}

TEST(TopTextTest, TellsRatiosRatesAndBytes) {
  cli::TopFrame before = Frame();
  before.mutable_stats()->mutable_uptime()->set_seconds(98);
  before.mutable_stats()->mutable_leases()->set_granted_warm(400);
  const cli::TopFrame frame = Frame();
  const std::string text = TopText(frame, &before, 200, 100);
  EXPECT_THAT(text, HasSubstr("99.0 % in the last 10 s, 90.0 % since"));
  EXPECT_THAT(text, HasSubstr("250 granted per second"));
  EXPECT_THAT(text, HasSubstr("0, the last none"));
  // 30, 20 and 50 of 100 MiB, on 60 columns.
  EXPECT_THAT(text,
              HasSubstr("[" + std::string(18, '#') + std::string(12, 'i') +
                        std::string(30, '.') + "]\n"));
  EXPECT_THAT(text, HasSubstr("camera        1  40 MiB  80.0 %"));
}

TEST(TopTextTest, WhatNoProcessHoldsHasRowsToo) {
  cli::TopFrame frame = Frame();
  EXPECT_THAT(TopText(frame, nullptr, 200, 100), Not(HasSubstr("TIME LEFT")));
  v1::UnheldBuffer& ticket = *frame.add_unheld();
  ticket.set_name("unnamed-1");
  ticket.set_mapped_bytes(4 << 20);
  ticket.set_state(v1::LEASE_STATE_TICKET);
  ticket.set_maker_pid(30);
  ticket.set_maker_command("camera");
  ticket.mutable_ttl_left()->set_seconds(9);
  v1::UnheldBuffer& lingering = *frame.add_unheld();
  lingering.set_name("camera/1");
  lingering.set_state(v1::LEASE_STATE_LINGERING);
  EXPECT_THAT(
      TopText(frame, nullptr, 200, 100),
      HasSubstr(
          "   30    0  camera    4 MiB         9s  ticket     unnamed-1\n"
          "    -    0  ?           0 B         0s  lingering  camera/1\n"));
}

TEST(TopTextTest, OfAnotherDaemonThereIsNoRate) {
  cli::TopFrame before = Frame();
  before.mutable_stats()->set_pid(11);
  EXPECT_THAT(TopText(Frame(), &before, 200, 100),
              HasSubstr("- granted per second"));
  EXPECT_THAT(TopText(Frame(), nullptr, 200, 100),
              HasSubstr("- granted per second"));
}

TEST(TopTextTest, SaysWhyTheLastLeaseWasRefused) {
  cli::TopFrame frame = Frame();
  frame.mutable_stats()->mutable_leases()->set_refused_exhausted(3);
  v1::Refusal& refusal = *frame.mutable_stats()->mutable_last_refusal();
  refusal.set_code(8);
  refusal.mutable_age()->set_seconds(5);
  refusal.set_size_bytes(900 << 20);
  refusal.set_message("no room");
  refusal.set_pid(7);
  refusal.set_command("camera");
  EXPECT_THAT(
      TopText(frame, nullptr, 200, 100),
      HasSubstr("3, the last 5s ago: RESOURCE_EXHAUSTED, 900 MiB, asked "
                "for by camera (pid 7)\nwhy        no room\n"));
}

TEST(TopTextTest, WhyIsToldInFullHoweverNarrowItIs) {
  cli::TopFrame frame = Frame();
  frame.mutable_stats()->mutable_last_refusal()->set_message(
      "no room for 1 GiB: release some");
  EXPECT_THAT(TopText(frame, nullptr, 30, 100),
              HasSubstr("why        no room for 1 GiB:\n"
                        "           release some\n"));
}

TEST(TopTextTest, InALowTerminalHoldersComeBeforeTheBar) {
  const std::string text = TopText(Frame(), nullptr, 80, 12);
  EXPECT_THAT(text, Not(HasSubstr("[##")));
  EXPECT_THAT(text, HasSubstr("camera"));
  EXPECT_THAT(TopText(Frame(), nullptr, 80, 24), HasSubstr("[##"));
}

TEST(TopTextTest, FitsItsTerminal) {
  const std::string text = TopText(Frame(), nullptr, 20, 9);
  EXPECT_THAT(text, HasSubstr("hit ratio  99.0 % in"));
  EXPECT_THAT(text, Not(HasSubstr("99.0 % in the")));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9);
}

TEST(TopTextTest, HoldersAreSortedAsAskedFor) {
  EXPECT_EQ(FirstPid(HolderOrder::kBytes), 30);
  EXPECT_EQ(FirstPid(HolderOrder::kLeases), 20);
  EXPECT_EQ(FirstPid(HolderOrder::kIdle), 20);
  EXPECT_EQ(FirstPid(HolderOrder::kPid), 20);
  EXPECT_EQ(FirstPid(HolderOrder::kCommand), 30);
  EXPECT_EQ(HolderOrderNamed("idle"), HolderOrder::kIdle);
  EXPECT_EQ(HolderOrderNamed("size"), std::nullopt);
}

}  // namespace
}  // namespace warmpool
