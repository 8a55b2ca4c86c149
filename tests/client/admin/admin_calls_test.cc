#include "client/admin/admin_calls.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// For calls that are to fail, so that tests do not wait for long.
constexpr absl::Duration kSoon = absl::Milliseconds(150);

class AdminCallsTest : public ::testing::Test {
 protected:
  void SetUp() override { daemon_.Listen(); }

  std::shared_ptr<AdminCalls> Open(AdminCalls::Options options = {}) {
    absl::StatusOr<std::shared_ptr<AdminCalls>> calls =
        AdminCalls::Open(daemon_.target(), options);
    EXPECT_THAT(calls, IsOk());
    return *std::move(calls);
  }

  std::atomic<int> calls_ = 0;
  ScriptedDaemon daemon_;
};

TEST(AdminCallsOpenTest, RefusesWhatIsNoUnixSocketAndTellsOfASilentOne) {
  EXPECT_THAT(AdminCalls::Open("localhost:50051", {.deadline = kSoon}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  const ScriptedDaemon daemon;
  EXPECT_THAT(AdminCalls::Open(daemon.target(), {.deadline = kSoon}),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr(daemon.target()),
                             HasSubstr("warmpoold must run there"))));
}

TEST_F(AdminCallsTest, ACallCutByAStoppingDaemonIsRepeated) {
  daemon_.on_get_stats = [&](const auto&, auto*) {
    return ++calls_ == 1 ? grpc::Status::CANCELLED : grpc::Status::OK;
  };
  EXPECT_THAT(Open()->GetStats(), IsOk());
  EXPECT_EQ(calls_, 2);
  daemon_.on_shutdown = [&](const auto&, auto*) {
    return grpc::Status::CANCELLED;
  };
  EXPECT_THAT(
      Open()->Shutdown(/*revoke=*/false),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(daemon_.target())));
}

TEST_F(AdminCallsTest, AShutdownIsNotRepeated) {
  daemon_.on_shutdown = [&](const auto&, auto*) {
    ++calls_;
    daemon_.LoseConnection();
    return grpc::Status::OK;
  };
  EXPECT_THAT(Open()->Shutdown(/*revoke=*/false),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(calls_, 1);
}

TEST_F(AdminCallsTest, ADaemonThatHangsIsToldFromOneThatIsGone) {
  // The handler is still in it when the test is over.
  const auto mutex = std::make_shared<Mutex>();
  daemon_.on_get_stats = [mutex](const auto&, auto*) {
    MutexLock lock(mutex.get());
    return grpc::Status::OK;
  };
  const std::shared_ptr<AdminCalls> calls = Open({.deadline = kSoon});
  MutexLock lock(mutex.get());
  EXPECT_THAT(calls->GetStats(),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr(daemon_.target()),
                             HasSubstr("did not answer within 150ms"))));
}

TEST_F(AdminCallsTest, RevokesOneLeaseAndSaysWhatBecameOfIt) {
  v1::ReleaseRequest asked;
  daemon_.on_release = [&](const v1::ReleaseRequest& request,
                           v1::ReleaseResponse* response) {
    asked = request;
    v1::Result* const result = response->add_results();
    if (++calls_ > 1) {
      result->set_code(static_cast<int>(absl::StatusCode::kNotFound));
    }
    return grpc::Status::OK;
  };
  const std::shared_ptr<AdminCalls> calls = Open();
  EXPECT_THAT(calls->Revoke("the lease"), IsOk());
  EXPECT_TRUE(asked.revoke());
  ASSERT_EQ(asked.leases_size(), 1);
  EXPECT_EQ(asked.leases(0).lease_id(), "the lease");
  EXPECT_THAT(calls->Revoke("the lease"),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(AdminCallsTest, ALostAnswerToARevocationIsMadeUpFor) {
  daemon_.on_release = [&](const auto&, v1::ReleaseResponse* response) {
    if (++calls_ == 1) return grpc::Status::CANCELLED;
    response->add_results()->set_code(
        static_cast<int>(absl::StatusCode::kNotFound));
    return grpc::Status::OK;
  };
  EXPECT_THAT(Open()->Revoke("the lease"), IsOk());
}

TEST_F(AdminCallsTest, AForkedChildCanNeitherCallNorHarmIt) {
  daemon_.on_get_stats = [&](const auto&, auto*) {
    ++calls_;
    return grpc::Status::OK;
  };
  std::shared_ptr<AdminCalls> calls = Open();
  const auto never = [](const auto&) { return true; };
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const bool refused =
        absl::IsFailedPrecondition(calls->GetStats().status()) &&
        absl::IsFailedPrecondition(calls->Revoke("the lease")) &&
        absl::IsFailedPrecondition(
            calls->WatchStats(absl::Seconds(1), never)) &&
        absl::IsFailedPrecondition(calls->WatchBuffers("", never));
    calls.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(calls_, 0);
  EXPECT_THAT(calls->GetStats(), IsOk());
}

}  // namespace
}  // namespace warmpool
