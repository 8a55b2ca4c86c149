#include "client/leases/connection.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// For calls that are to fail, so that tests do not wait for long.
constexpr absl::Duration kSoon = absl::Milliseconds(150);

absl::Status OpenStatus(const std::string& target) {
  return Connection::Open(target, {.deadline = kSoon}).status();
}

TEST(ConnectionOpenTest, RefusesWhatIsNoUnixSocket) {
  for (const char* const target :
       {"", "/run/warmpool.sock", "localhost:50051", "dns:///localhost:1",
        "unix-abstract:warmpool", "ipv4:127.0.0.1:1",
        "unix:", "unix://host/path"}) {
    EXPECT_THAT(OpenStatus(target),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("\"", target, "\""))));
  }
}

TEST(ConnectionOpenTest, TellsWhatIsAtThePath) {
  ScriptedDaemon daemon;
  EXPECT_THAT(
      OpenStatus(daemon.target()),
      StatusIs(absl::StatusCode::kUnavailable,
               AllOf(HasSubstr(daemon.target()), HasSubstr("within 150ms"),
                     HasSubstr(daemon.socket_path() + " does not exist"),
                     HasSubstr("warmpoold must run there"))));
  daemon.Bind();
  EXPECT_THAT(
      OpenStatus(daemon.target()),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nobody listens on")));
  const std::string file = daemon.directory() + "/file";
  std::ofstream(file) << "not a socket";
  EXPECT_THAT(
      OpenStatus("unix:" + file),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nobody listens on")));
}

TEST(ConnectionOpenTest, FindsPathsWithCharactersThatUrisEncode) {
  ScriptedDaemon daemon("a b%41#?\xc3\xbc.sock");
  daemon.Listen();
  EXPECT_THAT(Connection::Open(daemon.target(), {}), IsOk());
  EXPECT_THAT(Connection::Open("unix://" + daemon.socket_path(), {}), IsOk());
}

TEST(ConnectionOpenTest, WaitsForADaemonThatIsStarting) {
  ScriptedDaemon daemon;
  std::atomic<bool> opening = false;
  absl::Status status;
  std::thread client([&] {
    opening = true;
    status = Connection::Open(daemon.target(), {}).status();
  });
  while (!opening) std::this_thread::yield();
  daemon.Listen();
  client.join();
  EXPECT_THAT(status, IsOk());
}

class ConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override { daemon_.Listen(); }

  std::shared_ptr<Connection> Open(Connection::Options options = {}) {
    absl::StatusOr<std::shared_ptr<Connection>> connection =
        Connection::Open(daemon_.target(), options);
    EXPECT_THAT(connection, IsOk());
    return *std::move(connection);
  }

  // Of a lease that the daemon answers with `status`.
  absl::Status LeaseStatus(const grpc::Status& status) {
    daemon_.on_lease = [this, status](const auto&, auto*) {
      ++calls_;
      return status;
    };
    return Open()->Lease({}).status();
  }

  ScriptedDaemon daemon_;
  std::atomic<int> calls_ = 0;
};

TEST_F(ConnectionTest, EachHasAConnectionOfItsOwn) {
  const std::shared_ptr<Connection> first = Open();
  const std::shared_ptr<Connection> second = Open();
  EXPECT_EQ(daemon_.connections(), 2);
}

TEST_F(ConnectionTest, ErrorsOfTheDaemonComeAsTheyAreAndOnce) {
  EXPECT_THAT(
      LeaseStatus(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                               "full: 5 bytes free")),
      StatusIs(absl::StatusCode::kResourceExhausted, "full: 5 bytes free"));
  EXPECT_EQ(calls_, 1);
}

// While this exists, the process can open no descriptor.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    // Those of the standard streams are taken.
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none = {3, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptorsLeft() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_ = {};
};

// RESOURCE_EXHAUSTED would be a daemon's word that it has granted nothing.
TEST_F(ConnectionTest, WhatItLacksItselfIsNotTakenForTheDaemonsAnswer) {
  const std::shared_ptr<Connection> connection = Open({.deadline = kSoon});
  std::optional<NoDescriptorsLeft> none_left;
  daemon_.on_lease = [&](const auto&, auto*) {
    none_left.emplace();
    ++calls_;
    daemon_.LoseConnection();
    return grpc::Status::OK;
  };
  int given_back = 0;
  const auto lease = [&] {
    return connection
        ->Lease({},
                [&] {
                  ++given_back;
                  return true;
                })
        .status();
  };
  EXPECT_THAT(lease(), StatusIs(absl::StatusCode::kUnavailable,
                                HasSubstr("no descriptor left")));
  // Of this one nothing was sent, and the caller learns what is lacking.
  EXPECT_THAT(lease(), StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("no descriptor left")));
  EXPECT_EQ(calls_, 1);
  none_left.reset();
  EXPECT_EQ(given_back, 0);
}

TEST_F(ConnectionTest, WhatADrainingDaemonRefusesItsSuccessorIsAskedFor) {
  // More often than a lost connection is made up for.
  constexpr int kRefusals = 2 * DaemonChannel::kMaxTries;
  std::vector<std::string> request_ids;
  daemon_.on_lease = [&](const v1::LeaseRequest& request,
                         v1::LeaseResponse* response) {
    request_ids.push_back(request.request_id());
    if (request_ids.size() <= kRefusals) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                          "the daemon is draining");
    }
    *response->mutable_lease() = daemon_.MakeLease(4096);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Open({.deadline = absl::Minutes(5)})->Lease({}), IsOk());
  ASSERT_EQ(request_ids.size(), size_t{kRefusals} + 1);
  EXPECT_EQ(request_ids.front(), request_ids.back());
}

TEST_F(ConnectionTest, ADrainThatOutlastsTheDeadlineIsTold) {
  const std::string message =
      "the daemon is draining: no further lease is granted";
  daemon_.on_lease = [&](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, message);
  };
  EXPECT_THAT(Open({.deadline = absl::Milliseconds(200)})->Lease({}).status(),
              StatusIs(absl::StatusCode::kUnavailable, message));
}

TEST_F(ConnectionTest, ALostLeaseIsAskedForAgainWithTheSameRequestId) {
  std::vector<std::string> request_ids;
  daemon_.on_lease = [&](const v1::LeaseRequest& request,
                         v1::LeaseResponse* response) {
    request_ids.push_back(request.request_id());
    if (request_ids.size() == 1) daemon_.LoseConnection();
    *response->mutable_lease() = daemon_.MakeLease(4096);
    return grpc::Status::OK;
  };
  const std::shared_ptr<Connection> connection = Open();
  EXPECT_THAT(connection->Lease({}), IsOk());
  EXPECT_THAT(connection->Lease({}), IsOk());
  ASSERT_EQ(request_ids.size(), 3u);
  EXPECT_EQ(request_ids[0].size(), 16u);
  EXPECT_EQ(request_ids[0], request_ids[1]);
  EXPECT_NE(request_ids[1], request_ids[2]);
}

TEST_F(ConnectionTest, AnAttachmentIsRepeatedLikeALease) {
  std::vector<std::string> request_ids;
  daemon_.on_attach = [&](const v1::AttachRequest& request,
                          v1::AttachResponse* response) {
    request_ids.push_back(request.request_id());
    if (request_ids.size() == 1) daemon_.LoseConnection();
    *response->mutable_lease() = daemon_.MakeLease(4096);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Open()->Attach({}), IsOk());
  ASSERT_EQ(request_ids.size(), 2u);
  EXPECT_EQ(request_ids[0], request_ids[1]);
}

TEST_F(ConnectionTest, WaitsForAFirstTryThatIsStillUnderWay) {
  daemon_.on_lease = [&](const auto&, v1::LeaseResponse*) {
    return ++calls_ < 3 ? grpc::Status(grpc::StatusCode::ABORTED, "under way")
                        : grpc::Status::OK;
  };
  EXPECT_THAT(Open()->Lease({}), IsOk());
  EXPECT_EQ(calls_, 3);
}

TEST_F(ConnectionTest, GivesUpOnADaemonThatIsLostEveryTime) {
  daemon_.on_lease = [&](const auto&, auto*) {
    ++calls_;
    daemon_.LoseConnection();
    return grpc::Status::OK;
  };
  EXPECT_THAT(
      Open()->Lease({}).status(),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(daemon_.target())));
  EXPECT_EQ(calls_, DaemonChannel::kMaxTries);
}

TEST_F(ConnectionTest, AReleaseWhoseAnswerWasLostIsNotAnError) {
  daemon_.on_release = [&](const auto&, v1::ReleaseResponse* response) {
    if (++calls_ == 1) daemon_.LoseConnection();
    response->add_results()->set_code(grpc::StatusCode::NOT_FOUND);
    return grpc::Status::OK;
  };
  const std::shared_ptr<Connection> connection = Open();
  EXPECT_THAT(connection->Release({}), IsOk());
  EXPECT_EQ(calls_, 2);
  EXPECT_THAT(connection->Release({}), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ConnectionTest, AnswersWithoutTheOneResultAreErrors) {
  daemon_.on_release = [](const auto&, auto*) { return grpc::Status::OK; };
  daemon_.on_renew = [](const auto&, auto*) { return grpc::Status::OK; };
  const std::shared_ptr<Connection> connection = Open();
  EXPECT_THAT(connection->Release({}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("0 results")));
  EXPECT_THAT(connection->Renew({}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("0 results")));
}

TEST(ConnectionLossTest, ReleasesDoNotWaitForADaemonThatIsSilent) {
  auto daemon = std::make_unique<ScriptedDaemon>();
  daemon->Listen();
  absl::StatusOr<std::shared_ptr<Connection>> connection =
      Connection::Open(daemon->target(), {.deadline = kSoon});
  ASSERT_THAT(connection, IsOk());
  daemon.reset();
  EXPECT_THAT((*connection)->Lease({}), StatusIs(absl::StatusCode::kUnavailable,
                                                 HasSubstr("does not exist")));
  const absl::Time start = MonotonicClock::Get().Now();
  constexpr int kReleases = 1000;
  for (int i = 0; i < kReleases; ++i) {
    EXPECT_THAT((*connection)->Release({}),
                StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_LT(MonotonicClock::Get().Now() - start, kReleases * kSoon / 10);
}

TEST_F(ConnectionTest, LeasesAreKeptRenewedUntilTheirRelease) {
  Mutex mutex;
  CondVar renewed;
  std::vector<std::string> renewals;
  v1::GrantedLease granted = daemon_.MakeLease(4096);
  granted.mutable_ttl()->set_nanos(30'000'000);
  daemon_.on_lease = [&](const auto&, v1::LeaseResponse* response) {
    *response->mutable_lease() = granted;
    return grpc::Status::OK;
  };
  daemon_.on_renew = [&](const v1::RenewRequest& request,
                         v1::RenewResponse* response) {
    MutexLock lock(&mutex);
    for (const v1::RenewRequest::Renewal& renewal : request.renewals()) {
      EXPECT_EQ(renewal.lease().generation(), granted.generation());
      renewals.push_back(renewal.lease().lease_id());
      *response->add_renewed()->mutable_ttl() = renewal.ttl();
    }
    renewed.NotifyAll();
    return grpc::Status::OK;
  };
  daemon_.on_release = [&](const auto&, v1::ReleaseResponse* response) {
    response->add_results();
    return grpc::Status::OK;
  };
  const std::shared_ptr<Connection> connection = Open();
  ASSERT_THAT(connection->Lease({}), IsOk());
  {
    MutexLock lock(&mutex);
    while (renewals.size() < 2) renewed.Wait(&mutex);
    EXPECT_EQ(renewals.front(), granted.lease_id());
  }
  EXPECT_THAT(connection->Release(granted), IsOk());
}

TEST_F(ConnectionTest, ARenewalWithoutAVerdictIsTriedAgainAndEndsNoLease) {
  Mutex mutex;
  CondVar renewed;
  // Of the keeper's renewals; all of them malformed, one after another, but the
  // last.
  size_t answered = 0;
  const std::vector<std::function<grpc::Status(v1::RenewResponse*)>> answers = {
      [](v1::RenewResponse* response) {
        response->add_renewed()->mutable_result()->set_code(
            grpc::StatusCode::INVALID_ARGUMENT);
        return grpc::Status::OK;
      },
      [](v1::RenewResponse* response) {
        response->add_renewed()->mutable_result()->set_code(4711);
        return grpc::Status::OK;
      },
      // It says neither OK nor for how long.
      [](v1::RenewResponse* response) {
        response->add_renewed();
        return grpc::Status::OK;
      },
      [](v1::RenewResponse* response) {
        response->add_renewed()->mutable_ttl()->set_seconds(-1);
        return grpc::Status::OK;
      },
      [](auto*) { return grpc::Status::OK; },
      [](v1::RenewResponse* response) {
        for (int i = 0; i < 2; ++i) {
          response->add_renewed()->mutable_result()->set_code(
              grpc::StatusCode::FAILED_PRECONDITION);
        }
        return grpc::Status::OK;
      },
      // Of the whole call, not of that lease.
      [](auto*) {
        return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "no");
      },
      [](v1::RenewResponse* response) {
        response->add_renewed()->mutable_ttl()->set_seconds(60);
        return grpc::Status::OK;
      }};
  v1::GrantedLease granted = daemon_.MakeLease(4096);
  granted.mutable_ttl()->set_nanos(30'000'000);
  daemon_.on_lease = [&](const auto&, v1::LeaseResponse* response) {
    *response->mutable_lease() = granted;
    return grpc::Status::OK;
  };
  daemon_.on_renew = [&](const auto&, v1::RenewResponse* response) {
    MutexLock lock(&mutex);
    renewed.NotifyAll();
    return answers[std::min(answered++, answers.size() - 1)](response);
  };
  daemon_.on_release = [&](const auto&, v1::ReleaseResponse* response) {
    response->add_results();
    return grpc::Status::OK;
  };
  const std::shared_ptr<Connection> connection = Open();
  const absl::StatusOr<HeldLease> held = connection->Lease({});
  ASSERT_THAT(held, IsOk());
  {
    MutexLock lock(&mutex);
    while (answered < answers.size()) renewed.Wait(&mutex);
  }
  EXPECT_FALSE(held->fate->ended);
  EXPECT_THAT(connection->Renew(granted), IsOk());
  EXPECT_THAT(connection->Release(granted), IsOk());
}

// Runs `what` in a forked child; returns whether it returned true.
bool InForkedChild(const std::function<bool()>& what) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(what() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(ConnectionTest, AForkedChildCanNeitherCallNorHarmIt) {
  daemon_.on_release = [&](const auto&, v1::ReleaseResponse* response) {
    ++calls_;
    response->add_results();
    return grpc::Status::OK;
  };
  std::shared_ptr<Connection> connection = Open();
  EXPECT_TRUE(InForkedChild([&] {
    const bool refused =
        absl::IsFailedPrecondition(connection->Lease({}).status()) &&
        absl::IsFailedPrecondition(connection->Release({}));
    connection.reset();
    return refused;
  }));
  EXPECT_EQ(calls_, 0);
  EXPECT_THAT(connection->Release({}), IsOk());
}

TEST_F(ConnectionTest, AnExpiryThatOvertakesItsGrantIsKept) {
  daemon_.on_lease = [this](const auto&, v1::LeaseResponse* response) {
    *response->mutable_lease() = daemon_.MakeLease(4096);
    v1::SessionResponse notice;
    v1::RevokedNotice* const revoked = notice.mutable_revoked();
    revoked->set_lease_id(response->lease().lease_id());
    revoked->set_cause(v1::RevokedNotice::CAUSE_EXPIRED);
    daemon_.SendNotice(notice);
    return grpc::Status::OK;
  };
  const std::shared_ptr<Connection> connection = Open();
  const absl::StatusOr<HeldLease> held = connection->Lease({});
  ASSERT_THAT(held, IsOk());
  EXPECT_TRUE(held->fate->ended);
  EXPECT_THAT(
      connection->Renew(held->granted),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expired")));
}

}  // namespace
}  // namespace warmpool
