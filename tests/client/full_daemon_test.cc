// What a Lease does where the machine is full and this process has idle leases.
#include <atomic>
#include <future>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

constexpr int kIdle = 20;
constexpr uint64_t kSmall = 128 << 10;
constexpr uint64_t kLarge = 4 << 20;

class FullDaemonTest : public ::testing::Test {
 protected:
  FullDaemonTest() {
    daemon_.on_lease = [this](const v1::LeaseRequest& request,
                              v1::LeaseResponse* response) {
      if (request.size_bytes() == kLarge && released_ < kIdle) {
        absl::SleepFor(refusal_takes_);
        return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
      }
      if (request.size_bytes() == kLarge && silent_) {
        over_.get_future().wait();
      }
      *response->mutable_lease() = daemon_.MakeLease(request.size_bytes());
      return grpc::Status::OK;
    };
    daemon_.on_release = [this](const v1::ReleaseRequest& request,
                                v1::ReleaseResponse* response) {
      ++release_calls_;
      // As slow as a daemon may be on a busy machine.
      absl::SleepFor(absl::Milliseconds(300));
      for (int i = 0; i < request.leases_size(); ++i) response->add_results();
      released_ += request.leases_size();
      return grpc::Status::OK;
    };
    daemon_.Listen();
  }

  Client ConnectAndIdle(absl::Duration deadline) {
    Client client =
        Client::Connect(daemon_.target(),
                        {.deadline = deadline,
                         .lease_cache_idle = absl::InfiniteDuration(),
                         .prefetch = false})
            .value();
    std::vector<Buffer> buffers;
    for (int i = 0; i < kIdle; ++i) {
      buffers.push_back(client.Lease(kSmall).value());
    }
    buffers.clear();
    EXPECT_EQ(client.lease_cache_stats().idle_leases, uint64_t{kIdle});
    return client;
  }

  ScriptedDaemon daemon_;
  absl::Duration refusal_takes_ = absl::ZeroDuration();
  std::atomic<bool> silent_ = false;
  std::promise<void> over_;
  std::atomic<int> released_ = 0;
  std::atomic<int> release_calls_ = 0;
};

TEST_F(FullDaemonTest, WhatIsIdleGoesBackInOneCallBeforeTheSecondTry) {
  Client client = ConnectAndIdle(absl::Seconds(30));
  EXPECT_THAT(client.Lease(kLarge), IsOk());
  EXPECT_EQ(released_, kIdle);
  EXPECT_EQ(release_calls_, 1);
}

TEST_F(FullDaemonTest, AllOfALeaseIsDoneWithinItsDeadline) {
  refusal_takes_ = absl::Seconds(3);
  silent_ = true;
  Client client = ConnectAndIdle(absl::Seconds(4));
  const absl::Time begun = MonotonicClock::Get().Now();
  EXPECT_THAT(client.Lease(kLarge),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  // Two deadlines in a row are seven seconds.
  EXPECT_LT(MonotonicClock::Get().Now() - begun, absl::Seconds(6));
  EXPECT_EQ(released_, kIdle);
  over_.set_value();
}

}  // namespace
}  // namespace warmpool
