#include "client/rpc/session_stream.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/rpc/daemon_link.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_daemon.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::warmpool::testing::Eventually;

constexpr absl::Duration kLong = absl::Seconds(20);

// Runs as the kernel's, but for leaps.
class LeapingClock final : public Clock {
 public:
  // By a second, right after somebody has next looked at it.
  void LeapAfterNextLook() { leaps_ = true; }
  absl::Time Now() const override {
    const absl::Time now =
        MonotonicClock::Get().Now() + absl::Seconds(leapt_.load());
    if (leaps_.exchange(false)) ++leapt_;
    return now;
  }

 private:
  mutable std::atomic<bool> leaps_ = false;
  mutable std::atomic<int> leapt_ = 0;
};

class SessionStreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    daemon_.on_lease = [this](const v1::LeaseRequest& request,
                              v1::LeaseResponse* response) {
      if (before_lease_) before_lease_(request);
      response->mutable_lease()->set_buffer_name(request.name());
      return grpc::Status();
    };
    daemon_.on_release = [this](const v1::ReleaseRequest& request, auto*) {
      MutexLock lock(&mutex_);
      for (const v1::LeaseRef& lease : request.leases()) {
        released_.push_back(lease.lease_id());
      }
      return grpc::Status();
    };
    daemon_.on_idle = [this](const v1::IdleReport& idle) {
      idle_bytes_ = idle.idle_bytes();
    };
    daemon_.Listen();
  }

  // The name that the daemon gave back, or what went wrong.
  std::string Ask(const std::string& name, absl::Duration deadline = kLong) {
    v1::SessionRequest request;
    request.mutable_lease()->set_name(name);
    v1::SessionReply reply;
    const grpc::Status status =
        stream_->Ask(request, clock_.Now() + deadline, &reply);
    return status.ok() ? reply.lease().lease().buffer_name()
                       : absl::StrCat("error ", status.error_code());
  }

  void Release(const std::string& lease_id) {
    v1::LeaseRef lease;
    lease.set_lease_id(lease_id);
    stream_->Release({lease});
  }

  std::vector<std::string> released() {
    MutexLock lock(&mutex_);
    return released_;
  }

  static std::shared_ptr<DaemonLink::Stub> StubOf(
      const std::shared_ptr<DaemonLink>& link) {
    return {link, &link->stub()};
  }

  static v1::SessionResponse Trim(uint64_t bytes) {
    v1::SessionResponse notice;
    notice.mutable_trim()->set_wanted_bytes(bytes);
    return notice;
  }

  // Before the daemon, whose handlers look at it until they end.
  std::atomic<bool> go_on_ = false;
  ScriptedDaemon daemon_;
  std::function<void(const v1::LeaseRequest&)> before_lease_;
  std::atomic<uint64_t> idle_bytes_ = 0;
  std::atomic<uint64_t> trimmed_ = 0;
  std::atomic<int> losses_ = 0;
  LeapingClock clock_;
  Mutex mutex_;
  std::vector<std::string> released_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<SessionStream> stream_ = std::make_unique<SessionStream>(
      [this] {
        return StubOf(DaemonLink::Connect(daemon_.socket_path(), {},
                                          MonotonicClock::Get().Now() + kLong)
                          .value());
      },
      &clock_,
      SessionStream::Options{.on_notice =
                                 [this](const v1::SessionResponse& notice) {
                                   trimmed_ += notice.trim().wanted_bytes();
                                 },
                             .on_lost = [this] { ++losses_; }});
};

TEST_F(SessionStreamTest, AnswersComeOverOneStream) {
  EXPECT_EQ(Ask("a"), "a");
  EXPECT_EQ(Ask("b"), "b");
  EXPECT_EQ(daemon_.sessions(), 1);
}

TEST_F(SessionStreamTest, AnAnswerThatTakesLongHoldsUpNoOther) {
  before_lease_ = [&](const v1::LeaseRequest& request) {
    if (request.name() == "slow") Eventually([&] { return go_on_.load(); });
  };
  std::thread slow([&] { EXPECT_EQ(Ask("slow"), "slow"); });
  EXPECT_EQ(Ask("a"), "a");
  EXPECT_EQ(Ask("b"), "b");
  go_on_ = true;
  slow.join();
}

TEST_F(SessionStreamTest, ManyThreadsGetTheirOwnAnswers) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([this, thread] {
      for (int i = 0; i < 200; ++i) {
        const std::string name = absl::StrCat(thread, "-", i);
        ASSERT_EQ(Ask(name), name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(daemon_.sessions(), 1);
}

TEST_F(SessionStreamTest, ARequestWithoutAnAnswerEndsAtItsDeadline) {
  before_lease_ = [&](const v1::LeaseRequest& request) {
    if (request.name() == "silent") Eventually([&] { return go_on_.load(); });
  };
  EXPECT_EQ(Ask("silent", absl::Milliseconds(20)),
            absl::StrCat("error ", grpc::StatusCode::DEADLINE_EXCEEDED));
  go_on_ = true;
  // Its answer, late, is nobody's.
  EXPECT_EQ(Ask("a"), "a");
  EXPECT_EQ(losses_, 0);
}

TEST_F(SessionStreamTest, ALostStreamFailsWhatIsUnderWayAndIsOpenedAgain) {
  before_lease_ = [this](const v1::LeaseRequest& request) {
    if (request.name() == "lost") daemon_.LoseConnection();
  };
  EXPECT_EQ(Ask("lost"), absl::StrCat("error ", grpc::StatusCode::UNAVAILABLE));
  EXPECT_TRUE(Eventually([&] { return losses_ == 1; }));
  EXPECT_TRUE(Eventually([&] { return Ask("a") == "a"; }));
}

TEST_F(SessionStreamTest, TheNextStreamBeginsWithTheLastReport) {
  v1::IdleReport idle;
  idle.set_idle_bytes(5);
  stream_->Report(idle);
  EXPECT_EQ(Ask("a"), "a");
  EXPECT_TRUE(Eventually([&] { return idle_bytes_ == 5; }));
  idle_bytes_ = 0;
  daemon_.LoseConnection();
  EXPECT_TRUE(Eventually([&] { return losses_ == 1; }));
  EXPECT_TRUE(Eventually([&] { return Ask("b") == "b"; }));
  EXPECT_TRUE(Eventually([&] { return idle_bytes_ == 5; }));
}

TEST_F(SessionStreamTest, WithoutADaemonItFailsAtOnce) {
  SessionStream stream([] { return StubOf(DaemonLink::MakeLost()); },
                       &MonotonicClock::Get(), {});
  v1::SessionReply reply;
  EXPECT_EQ(stream
                .Ask(v1::SessionRequest(), MonotonicClock::Get().Now() + kLong,
                     &reply)
                .error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(SessionStreamTest, ReleasesGoOutWithTheNextRequestOrByThemselves) {
  EXPECT_EQ(Ask("a"), "a");
  Release("first");
  Release("second");
  EXPECT_EQ(Ask("b"), "b");
  EXPECT_THAT(released(), ElementsAre("first", "second"));
  Release("third");
  EXPECT_TRUE(Eventually([&] { return released().size() == 3; }));
}

TEST_F(SessionStreamTest, ReleasesOfAStreamThatRestsArrive) {
  Release("first");
  EXPECT_TRUE(Eventually([&] { return released().size() == 1; }));
}

TEST_F(SessionStreamTest, ReleasesGatheredJustBeforeItRestsArrive) {
  for (int i = 0; i < 20; ++i) {
    Ask("a");
    clock_.LeapAfterNextLook();
    Release(absl::StrCat(i));
    ASSERT_TRUE(Eventually(
        [&] { return released().size() == static_cast<size_t>(i) + 1; }));
  }
}

TEST_F(SessionStreamTest, ManyReleasesArriveInOrderAndInMessagesOfBoundedSize) {
  std::vector<v1::LeaseRef> leases(3000);
  for (size_t i = 0; i < leases.size(); ++i) {
    leases[i].set_lease_id(absl::StrCat(i));
  }
  stream_->Release(leases);
  ASSERT_TRUE(Eventually([&] { return released().size() == leases.size(); }));
  const std::vector<std::string> ids = released();
  for (size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(ids[i], absl::StrCat(i));
}

TEST_F(SessionStreamTest, NoticesArriveWhetherSomebodyWaitsOrNot) {
  stream_->Open();
  EXPECT_TRUE(Eventually([&] { return daemon_.sessions() == 1; }));
  daemon_.SendNotice(Trim(1));
  EXPECT_TRUE(Eventually([&] { return trimmed_ == 1; }));
  // Its own thread leaves the stream to the callers for a while.
  EXPECT_EQ(Ask("a"), "a");
  daemon_.SendNotice(Trim(2));
  EXPECT_TRUE(Eventually([&] { return trimmed_ == 3; }));
  before_lease_ = [this](const v1::LeaseRequest&) {
    daemon_.SendNotice(Trim(4));
    Eventually([&] { return trimmed_ == 7; });
  };
  EXPECT_EQ(Ask("b"), "b");
  EXPECT_EQ(trimmed_, 7u);
}

TEST_F(SessionStreamTest, ClosingSendsWhatIsLeftToSend) {
  EXPECT_EQ(Ask("a"), "a");
  Release("last");
  stream_->Report([] {
    v1::IdleReport idle;
    idle.set_idle_bytes(5);
    return idle;
  }());
  Release("very last");
  stream_.reset();
  EXPECT_THAT(released(), ElementsAre("last", "very last"));
  EXPECT_EQ(idle_bytes_, 5u);
  EXPECT_EQ(losses_, 0);
  EXPECT_TRUE(Eventually([&] { return daemon_.sessions() == 0; }));
}

TEST_F(SessionStreamTest, ClosingAStreamThatWasNeverOpenedDoesNothing) {
  stream_.reset();
  EXPECT_THAT(released(), IsEmpty());
}

}  // namespace
}  // namespace warmpool
