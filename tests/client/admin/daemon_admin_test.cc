#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"
#include "warmpool/admin.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::warmpool::testing::DaemonProcess;

class DaemonAdminTest : public ::testing::Test {
 protected:
  DaemonProcess daemon_{{"--capacity_bytes=64MiB"}};
  Client client_ = Client::Connect(daemon_.target()).value();
  DaemonAdmin admin_ = DaemonAdmin::Connect(daemon_.target()).value();
};

TEST_F(DaemonAdminTest, ToldOfABufferItListsAndCountsAndRevokesIt) {
  Buffer buffer = client_.Lease(4096, {.name = "frames/0"}).value();
  const absl::StatusOr<std::vector<ListedBuffer>> listed =
      admin_.ListBuffers({.name_prefix = "frames/"});
  ASSERT_THAT(listed, IsOk());
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().size_bytes, 4096u);
  ASSERT_THAT(listed->front().leases, SizeIs(1));
  EXPECT_EQ(listed->front().leases[0].pid, getpid());
  EXPECT_EQ(listed->front().leases[0].lease_id, buffer.lease_id());
  EXPECT_THAT(admin_.ListBuffers({.name_prefix = "other"}).value(), SizeIs(0));

  const absl::StatusOr<HolderListing> holders = admin_.ListHolders();
  ASSERT_THAT(holders, IsOk());
  ASSERT_THAT(holders->holders, SizeIs(1));
  EXPECT_EQ(holders->holders[0].pid, getpid());
  EXPECT_EQ(admin_.GetStats()->leases.live_leases, 1u);
  EXPECT_EQ(admin_.GetStats()->bytes.leased_bytes, buffer.mapped_size());

  EXPECT_THAT(admin_.Revoke(buffer.lease_id()), IsOk());
  EXPECT_THAT(admin_.Revoke(std::string(16, 'x')),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(DaemonAdminTest, WatchesUntilToldToStop) {
  int answers = 0;
  EXPECT_THAT(admin_.WatchStats(absl::Milliseconds(100),
                                [&](const DaemonStats& stats) {
                                  EXPECT_EQ(stats.pid, daemon_.pid());
                                  return ++answers < 2;
                                }),
              IsOk());
  EXPECT_EQ(answers, 2);
  std::vector<BufferEvent::Kind> kinds;
  EXPECT_THAT(admin_.WatchBuffers(
                  "frames/",
                  [&](const BufferEvent& event) {
                    kinds.push_back(event.kind);
                    return event.kind == BufferEvent::Kind::kResync &&
                           client_.Lease(4096, {.name = "frames/0"}).ok();
                  }),
              IsOk());
  EXPECT_THAT(kinds, ElementsAre(BufferEvent::Kind::kResync,
                                 BufferEvent::Kind::kCreated));
}

TEST_F(DaemonAdminTest, CommandsTheDaemon) {
  EXPECT_THAT(admin_.Trim(), IsOk());
  const absl::StatusOr<LogLevel> before = admin_.SetLogLevel(LogLevel::kError);
  ASSERT_THAT(before, IsOk());
  EXPECT_EQ(admin_.SetLogLevel(std::nullopt).value(), LogLevel::kError);
  EXPECT_EQ(admin_.SetLogLevel(*before).value(), LogLevel::kError);
  const Buffer buffer = client_.Lease(4096).value();
  const absl::StatusOr<ShutdownResult> result =
      admin_.Shutdown(/*revoke=*/true);
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->revoked_leases, 1u);
}

TEST(DaemonAdminOpenTest, ErrorsAreThoseOfAClient) {
  EXPECT_THAT(DaemonAdmin::Connect("localhost:50051"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(DaemonAdmin::Connect("unix:/nowhere/warmpool.sock",
                                   {.deadline = absl::Milliseconds(100)}),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("warmpoold must run there")));
}

}  // namespace
}  // namespace warmpool
