// The file that is the name of the daemon's socket, and what others do to it
// while the daemon runs.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

namespace fs = std::filesystem;

class SocketFileTest : public ::testing::Test {
 protected:
  SocketFileTest() : path_(daemon_->target().substr(sizeof("unix:") - 1)) {
    early_.MustLease(RawClient::LeaseOf(4096));
  }

  // By the name, as anybody who comes.
  bool Answers() {
    RawClient client(daemon_->target());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(100));
    v1::GetStatsResponse stats;
    return client.stub().GetStats(&context, v1::GetStatsRequest(), &stats).ok();
  }

  std::unique_ptr<DaemonProcess> daemon_ = std::make_unique<DaemonProcess>();
  RawClient early_{daemon_->target()};
  const std::string path_;
};

TEST_F(SocketFileTest, OneThatIsRemovedIsMadeAgain) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(fs::remove(path_));
    EXPECT_FALSE(Answers());
    EXPECT_TRUE(Eventually([&] { return Answers(); }));
  }
  // Nothing is lost for whoever was connected.
  EXPECT_EQ(early_.Stats().leases().live_leases(), 1u);
}

TEST_F(SocketFileTest, SoIsOneWhoseDirectoryIsRemoved) {
  const std::string directory = fs::path(path_).parent_path();
  fs::rename(directory, directory + ".old");
  EXPECT_TRUE(Eventually([&] { return Answers(); }));
  fs::remove_all(directory + ".old");
}

TEST_F(SocketFileTest, WhatOthersPutInItsPlaceStays) {
  ASSERT_TRUE(fs::remove(path_));
  std::ofstream(path_) << "mine";
  EXPECT_FALSE(Eventually([&] { return Answers(); }, absl::Seconds(5)));
  EXPECT_EQ(fs::file_size(path_), 4u);
  fs::remove(path_);
  EXPECT_TRUE(Eventually([&] { return Answers(); }));
}

TEST_F(SocketFileTest, ADaemonThatStopsLeavesAnothersFile) {
  ASSERT_TRUE(fs::remove(path_));
  std::ofstream(path_) << "mine";
  EXPECT_EQ(daemon_->Terminate(), 0);
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(SocketFileTest, ADaemonThatStopsRemovesItsOwn) {
  EXPECT_EQ(daemon_->Terminate(), 0);
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace warmpool::testing
