// Connection over losses of its connection, against a daemon that forgets its
// leases and loses answers as it is told.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/leases/connection.h"
#include "core/base/mutex.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/held_leases.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::warmpool::testing::Eventually;

class ConnectionRestartTest : public ::testing::Test {
 protected:
  void SetUp() override { daemon_.Listen(); }

  std::shared_ptr<Connection> Open(Connection::Options options = {}) {
    absl::StatusOr<std::shared_ptr<Connection>> connection =
        Connection::Open(daemon_.target(), options);
    EXPECT_THAT(connection, IsOk());
    return *std::move(connection);
  }

  static v1::GrantedLease Lease(Connection* connection) {
    v1::LeaseRequest request;
    request.set_size_bytes(4096);
    absl::StatusOr<HeldLease> lease = connection->Lease(request);
    EXPECT_THAT(lease, IsOk());
    return std::move(lease->granted);
  }

  ScriptedDaemon daemon_;
  HeldLeases held_{&daemon_};
};

TEST_F(ConnectionRestartTest, AnIdleClientStatesItsLeasesByItself) {
  const std::shared_ptr<Connection> connection = Open();
  const v1::GrantedLease lease = Lease(connection.get());
  held_.Restart();
  EXPECT_TRUE(Eventually([&] { return held_.Has(lease.lease_id()); }));
  EXPECT_THAT(connection->Renew(lease), IsOk());
  EXPECT_THAT(connection->Release(lease), IsOk());
  EXPECT_EQ(held_.size(), 0u);
}

TEST_F(ConnectionRestartTest, ARenewalOfALeaseNotYetTakenUpStatesIt) {
  const std::shared_ptr<Connection> connection = Open();
  const v1::GrantedLease lease = Lease(connection.get());
  held_.ForgetAll();
  EXPECT_THAT(connection->Renew(lease), IsOk());
  EXPECT_TRUE(held_.Has(lease.lease_id()));
}

TEST_F(ConnectionRestartTest, TheKeeperGoesOnWithALeaseThatWasTakenUp) {
  std::atomic<int> renewals = 0;
  held_.ttl_seconds = 1;
  const auto renew = daemon_.on_renew;
  daemon_.on_renew = [&](const v1::RenewRequest& request,
                         v1::RenewResponse* response) {
    ++renewals;
    return renew(request, response);
  };
  const std::shared_ptr<Connection> connection = Open();
  const v1::GrantedLease lease = Lease(connection.get());
  held_.ForgetAll();
  EXPECT_TRUE(Eventually([&] { return held_.Has(lease.lease_id()); }));
  const int before = renewals;
  EXPECT_GE(before, 1);
  EXPECT_TRUE(Eventually([&] { return renewals >= before + 2; }));
}

TEST_F(ConnectionRestartTest, OfALostLeaseARenewalTellsAndTheReleaseIsFine) {
  held_.assert_result = [](const auto&) {
    v1::Result result;
    result.set_code(grpc::StatusCode::NOT_FOUND);
    result.set_message("no segment is left");
    return result;
  };
  const std::shared_ptr<Connection> connection = Open();
  const v1::GrantedLease lease = Lease(connection.get());
  held_.Restart();
  EXPECT_TRUE(Eventually([&] { return !held_.assert_sizes().empty(); }));
  EXPECT_TRUE(Eventually([&] {
    return connection->Renew(lease).message() == "no segment is left";
  }));
  EXPECT_THAT(connection->Renew(lease), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(connection->Release(lease), IsOk());
}

TEST_F(ConnectionRestartTest, AReleaseOfALeaseThatANewDaemonDoesNotKnowIsFine) {
  const std::shared_ptr<Connection> connection = Open();
  const v1::GrantedLease lease = Lease(connection.get());
  held_.ForgetAll();
  EXPECT_THAT(connection->Release(lease), IsOk());
  EXPECT_THAT(connection->Release(lease),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ConnectionRestartTest, WhatIsGrantedAfterItsDeadlineIsReleased) {
  const std::shared_ptr<Connection> connection =
      Open({.deadline = absl::Milliseconds(300)});
  const v1::GrantedLease kept = Lease(connection.get());
  Mutex mutex;
  // The handler hangs after the grant, until the call was given up.
  held_.before_grant_is_answered = [&] { MutexLock lock(&mutex); };
  {
    MutexLock lock(&mutex);
    v1::LeaseRequest request;
    request.set_size_bytes(4096);
    EXPECT_THAT(connection->Lease(request),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
  EXPECT_TRUE(Eventually([&] { return held_.size() == 1; }));
  EXPECT_TRUE(held_.Has(kept.lease_id()));
  EXPECT_THAT(held_.assert_sizes(), IsEmpty());
}

TEST_F(ConnectionRestartTest, WhatIsLostEveryTimeIsReleasedInTheEnd) {
  const std::shared_ptr<Connection> connection = Open();
  std::atomic<bool> losing = true;
  held_.before_grant_is_answered = [&] {
    if (losing) daemon_.LoseConnection();
  };
  v1::LeaseRequest request;
  request.set_size_bytes(4096);
  EXPECT_THAT(connection->Lease(request),
              StatusIs(absl::StatusCode::kUnavailable));
  losing = false;
  EXPECT_TRUE(Eventually([&] { return held_.size() == 0; }));
}

TEST_F(ConnectionRestartTest, AReleaseWithoutAnAnswerIsMadeUpFor) {
  const std::shared_ptr<Connection> connection =
      Open({.deadline = absl::Milliseconds(300)});
  const v1::GrantedLease lease = Lease(connection.get());
  const auto release = daemon_.on_release;
  std::atomic<bool> losing = true;
  daemon_.on_release = [&](const v1::ReleaseRequest& request,
                           v1::ReleaseResponse* response) {
    if (losing) {
      daemon_.LoseConnection();
      return grpc::Status::OK;
    }
    return release(request, response);
  };
  EXPECT_THAT(connection->Release(lease),
              StatusIs(absl::StatusCode::kUnavailable));
  losing = false;
  EXPECT_TRUE(Eventually([&] { return held_.size() == 0; }));
}

TEST_F(ConnectionRestartTest, ALeaseInFlightIsLeftAloneByTheReconciliation) {
  const std::shared_ptr<Connection> connection = Open();
  const v1::GrantedLease first = Lease(connection.get());
  std::atomic<bool> reconciled = false;
  held_.before_grant_is_answered = [&] {
    if (reconciled.exchange(true)) return;
    // The client reconciles while this call is under way.
    held_.Forget(first.lease_id());
    EXPECT_THAT(connection->Renew(first), IsOk());
    EXPECT_TRUE(Eventually([&] { return held_.lists() > 0; }));
  };
  const v1::GrantedLease second = Lease(connection.get());
  EXPECT_TRUE(held_.Has(first.lease_id()));
  EXPECT_TRUE(held_.Has(second.lease_id()));
  EXPECT_THAT(held_.release_sizes(), IsEmpty());
}

TEST_F(ConnectionRestartTest, EachClientOfAProcessReconcilesItsOwnLeases) {
  const std::shared_ptr<Connection> first = Open();
  const std::shared_ptr<Connection> second = Open();
  const v1::GrantedLease lease = Lease(first.get());
  const v1::GrantedLease other = Lease(second.get());
  // Makes one of them reconcile.
  held_.ForgetAll();
  EXPECT_THAT(second->Renew(other), IsOk());
  EXPECT_TRUE(Eventually([&] { return held_.lists() > 0; }));
  EXPECT_FALSE(held_.Has(lease.lease_id()));
  EXPECT_THAT(first->Renew(lease), IsOk());
  EXPECT_TRUE(Eventually([&] { return held_.lists() > 1; }));
  EXPECT_EQ(held_.size(), 2u);
  EXPECT_THAT(held_.release_sizes(), IsEmpty());
}

TEST_F(ConnectionRestartTest, AForkedChildReconcilesNothing) {
  std::shared_ptr<Connection> connection = Open();
  const v1::GrantedLease lease = Lease(connection.get());
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const bool refused =
        absl::IsFailedPrecondition(connection->Renew(lease)) &&
        absl::IsFailedPrecondition(connection->Lease({}).status()) &&
        absl::IsFailedPrecondition(connection->Release(lease));
    connection.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  held_.Restart();
  EXPECT_TRUE(Eventually([&] { return held_.Has(lease.lease_id()); }));
  EXPECT_THAT(connection->Release(lease), IsOk());
}

}  // namespace
}  // namespace warmpool
