#include "client/cli/stats_text.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(StatsTextTest, TellsWhereEveryByteIs) {
  v1::GetStatsResponse stats;
  stats.set_pid(12);
  stats.mutable_uptime()->set_seconds(61);
  stats.set_shm_dir("/dev/shm/warmpool-0");
  v1::ByteAccount& bytes = *stats.mutable_bytes();
  bytes.set_capacity_bytes(8 << 20);
  bytes.set_leased_bytes(2 << 20);
  bytes.set_free_bytes(6 << 20);
  const std::string text = StatsText(stats);
  EXPECT_THAT(text, HasSubstr("daemon: pid 12, up 1m01s, serving, segments in "
                              "/dev/shm/warmpool-0\n"));
  EXPECT_THAT(text, HasSubstr("  capacity       8 MiB\n"
                              "  = leased       2 MiB  25.0 %\n"
                              "  + retained       0 B   0.0 %\n"));
  EXPECT_THAT(text, HasSubstr("  + free         6 MiB  75.0 %\n"));
  stats.set_draining(true);
  EXPECT_THAT(StatsText(stats), HasSubstr("draining"));
}

TEST(StatsTextTest, TellsEvictionsByReason) {
  v1::GetStatsResponse stats;
  v1::BigCacheCounts& bigcache = *stats.mutable_bigcache();
  bigcache.set_hits(3);
  bigcache.set_misses_empty(1);
  bigcache.set_evictions(96);
  bigcache.set_evicted_ring_full(90);
  bigcache.set_evicted_decayed(6);
  const std::string text = StatsText(stats);
  EXPECT_THAT(text, HasSubstr("hits 3, misses 1 (empty 1, zeroed 0)"));
  EXPECT_THAT(text, HasSubstr("75.0 %"));
  EXPECT_THAT(text, HasSubstr("96 (ring full 90, byte cap 0, decayed 6, for "
                              "room 0, drained 0, pressure 0, trimmed 0)"));
}

TEST(StatsTextTest, TellsWhatIsNotYetAsItShouldBe) {
  v1::GetStatsResponse stats;
  stats.mutable_leases()->set_live_leases(12);
  stats.mutable_leases()->set_recovering_leases(5);
  stats.mutable_quarantine()->set_quarantined_segments(3);
  stats.mutable_quarantine()->set_failed_set_asides(2);
  const std::string text = StatsText(stats);
  EXPECT_THAT(text, HasSubstr("leases 12, recovering 5"));
  EXPECT_THAT(text, HasSubstr("segments 3"));
  EXPECT_THAT(text, HasSubstr("set asides 2"));
}

TEST(StatsTextTest, TellsWhichSegmentsHaveHugePagesAndWhyNot) {
  v1::GetStatsResponse stats;
  v1::HugePageCounts& huge_pages = *stats.mutable_huge_pages();
  huge_pages.set_method(v1::HUGE_PAGE_METHOD_COLLAPSE);
  huge_pages.set_huge_segments(7);
  huge_pages.set_small_segments(2);
  EXPECT_THAT(StatsText(stats), AllOf(HasSubstr("method  collapse\n"),
                                      HasSubstr("huge 7, small instead 2"),
                                      Not(HasSubstr("reason"))));
  huge_pages.set_method(v1::HUGE_PAGE_METHOD_NONE);
  huge_pages.set_reason("no huge pages: an old kernel");
  EXPECT_THAT(StatsText(stats),
              AllOf(HasSubstr("method  none\n"),
                    HasSubstr("reason  no huge pages: an old kernel\n")));
}

TEST(StatsTextTest, ListsTheSystemCalls) {
  v1::GetStatsResponse stats;
  v1::SystemCallCount* const call = stats.add_system_calls();
  call->set_name("munmap");
  call->set_count(1234);
  EXPECT_THAT(StatsText(stats), HasSubstr("  munmap  1,234\n"));
}

TEST(StatsTextTest, AnAdminSeesTheLastRefusalOfEachUid) {
  v1::GetStatsResponse stats;
  for (const uint32_t uid : {1000u, 2000u}) {
    v1::Refusal& refusal = *stats.add_refusals();
    refusal.set_code(8);
    refusal.set_uid(uid);
    refusal.set_pid(7);
    refusal.set_command("camera");
    refusal.set_message("no room");
  }
  *stats.mutable_last_refusal() = stats.refusals(0);
  const std::string text = StatsText(stats);
  EXPECT_THAT(text, HasSubstr("of uid 2000"));
  EXPECT_THAT(text, HasSubstr("asked for by camera (pid 7): no room"));
  EXPECT_THAT(text, Not(HasSubstr("of uid 1000"))) << "it is the last one";
}

TEST(StatsTextTest, WhatNoProcessHoldsIsTold) {
  v1::GetStatsResponse stats;
  stats.mutable_leases()->set_live_tickets(2);
  stats.mutable_leases()->set_ticket_bytes(4 << 20);
  stats.mutable_leases()->set_unclaimed(3);
  const std::string text = StatsText(stats);
  EXPECT_THAT(text, HasSubstr("tickets 2 (4 MiB), lingering 0 (0 B)"));
  EXPECT_THAT(text, HasSubstr("unclaimed tickets 3"));
}

}  // namespace
}  // namespace warmpool
