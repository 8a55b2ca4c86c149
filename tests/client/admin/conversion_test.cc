#include "client/admin/conversion.h"

#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(AdminConversionTest, StatisticsTellBytesLeasesAndRefusals) {
  v1::GetStatsResponse wire;
  wire.set_pid(7);
  wire.mutable_uptime()->set_seconds(60);
  wire.set_draining(true);
  wire.mutable_bytes()->set_capacity_bytes(100);
  wire.mutable_bytes()->set_idle_in_clients_bytes(3);
  wire.mutable_leases()->set_live_leases(2);
  wire.mutable_leases()->set_linger_ended(5);
  wire.mutable_bigcache()->set_evictions(9);
  v1::Refusal& refusal = *wire.add_refusals();
  refusal.set_code(8);
  refusal.set_message("0 bytes free");
  refusal.set_uid(1000);
  const DaemonStats stats = FromWire(wire);
  EXPECT_EQ(stats.pid, 7);
  EXPECT_EQ(stats.uptime, absl::Minutes(1));
  EXPECT_TRUE(stats.draining);
  EXPECT_EQ(stats.bytes.capacity_bytes, 100u);
  EXPECT_EQ(stats.bytes.idle_in_clients_bytes, 3u);
  EXPECT_EQ(stats.leases.live_leases, 2u);
  EXPECT_EQ(stats.leases.linger_ended, 5u);
  EXPECT_EQ(stats.bigcache.evictions, 9u);
  ASSERT_THAT(stats.refusals, SizeIs(1));
  EXPECT_THAT(stats.refusals[0].status,
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("0 bytes free")));
  EXPECT_EQ(stats.refusals[0].uid, 1000u);
}

TEST(AdminConversionTest, ABufferHasItsLeases) {
  v1::Buffer wire;
  wire.set_name("frames/0");
  wire.set_sealed(true);
  v1::BufferLease& lease = *wire.add_leases();
  lease.set_pid(7);
  lease.mutable_ttl_left()->set_seconds(5);
  lease.set_state(v1::LEASE_STATE_LINGERING);
  const ListedBuffer buffer = FromWire(wire);
  EXPECT_EQ(buffer.name, "frames/0");
  EXPECT_TRUE(buffer.sealed);
  ASSERT_THAT(buffer.leases, SizeIs(1));
  EXPECT_EQ(buffer.leases[0].pid, 7);
  EXPECT_EQ(buffer.leases[0].ttl_left, absl::Seconds(5));
  EXPECT_EQ(buffer.leases[0].state, ListedState::kLingering);
}

TEST(AdminConversionTest, WhatANewerDaemonTellsIsTheDefault) {
  v1::BufferEvent event;
  event.set_kind(static_cast<v1::BufferEvent::Kind>(99));
  EXPECT_EQ(FromWire(event).kind, BufferEvent::Kind::kResync);
  v1::Buffer buffer;
  buffer.add_leases()->set_state(static_cast<v1::LeaseState>(99));
  EXPECT_EQ(FromWire(buffer).leases[0].state, ListedState::kLive);
}

TEST(AdminConversionTest, EveryLogLevelGoesThereAndBack) {
  EXPECT_EQ(ToWire(std::nullopt), v1::LOG_LEVEL_UNSPECIFIED);
  EXPECT_EQ(ToWire(LogLevel::kTrace), v1::LOG_LEVEL_TRACE);
  EXPECT_EQ(ToWire(LogLevel::kOff), v1::LOG_LEVEL_OFF);
  for (const LogLevel level :
       {LogLevel::kTrace, LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn,
        LogLevel::kError, LogLevel::kOff}) {
    EXPECT_EQ(FromWire(ToWire(level)), level);
  }
}

TEST(AdminConversionTest, AFilterAsksForWhatIsSet) {
  const v1::ListBuffersRequest all = ToWire(ListFilter());
  EXPECT_THAT(all.name_prefix(), IsEmpty());
  EXPECT_FALSE(all.has_uid());
  const v1::ListBuffersRequest some =
      ToWire(ListFilter{.name_prefix = "a/", .holder_pid = 7, .uid = 0});
  EXPECT_EQ(some.name_prefix(), "a/");
  EXPECT_EQ(some.holder_pid(), 7);
  EXPECT_TRUE(some.has_uid());
}

}  // namespace
}  // namespace warmpool
