#include "client/leases/reconciliation.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/leases/known_leases.h"
#include "client/rpc/daemon_channel.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/held_leases.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReconciliationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    daemon_.Listen();
    ASSERT_THAT(channel_.WaitForDaemon(absl::Seconds(10)), IsOk());
  }

  // A lease that both client and daemon know.
  v1::GrantedLease Grant(const std::string& request_id) {
    v1::GrantedLease lease = daemon_.MakeLease(4096);
    lease.set_generation(7);
    lease.mutable_ttl()->set_seconds(60);
    known_.Begin(request_id);
    known_.Granted(request_id, lease);
    return lease;
  }

  static v1::Result ResultOf(grpc::StatusCode code) {
    v1::Result result;
    result.set_code(code);
    result.set_message("so the daemon says");
    return result;
  }

  ScriptedDaemon daemon_;
  HeldLeases held_{&daemon_};
  DaemonChannel channel_{daemon_.target(), daemon_.socket_path()};
  KnownLeases known_;
  std::vector<std::string> asserted_;
  Reconciliation reconciliation_{
      &channel_,
      &known_,
      {.client_id = "this client",
       .deadline = absl::Seconds(10),
       .on_asserted = [this](const v1::GrantedLease& lease, absl::Duration ttl,
                             absl::Time) {
         EXPECT_EQ(ttl, absl::Seconds(60));
         asserted_.push_back(lease.lease_id());
       }}};
};

TEST_F(ReconciliationTest, StatesALeaseAsItWasGranted) {
  const v1::GrantedLease lease = Grant("request");
  v1::AssertRequest stated;
  daemon_.on_assert = [&](const v1::AssertRequest& request,
                          v1::AssertResponse* response) {
    stated = request;
    *response->add_asserted()->mutable_ttl() = request.leases(0).ttl();
    return grpc::Status::OK;
  };
  EXPECT_THAT(reconciliation_.AssertKnown(), IsOk());
  EXPECT_EQ(stated.client_id(), "this client");
  ASSERT_EQ(stated.leases_size(), 1);
  EXPECT_EQ(stated.leases(0).lease_id(), lease.lease_id());
  EXPECT_EQ(stated.leases(0).request_id(), "request");
  EXPECT_EQ(stated.leases(0).generation(), 7u);
  EXPECT_EQ(stated.leases(0).buffer_name(), lease.buffer_name());
  EXPECT_THAT(lease.path(), EndsWith("/" + stated.leases(0).file_name()));
  EXPECT_EQ(stated.leases(0).size_bytes(), 4096u);
  EXPECT_EQ(stated.leases(0).access(), v1::ACCESS_SHARED_WRITABLE);
  EXPECT_EQ(stated.leases(0).ttl().seconds(), 60);
  EXPECT_THAT(asserted_, ElementsAre(lease.lease_id()));
}

TEST_F(ReconciliationTest, ManyLeasesAreStatedInSeveralCalls) {
  for (int i = 0; i < 250; ++i) Grant(absl::StrCat("request ", i));
  EXPECT_THAT(reconciliation_.AssertKnown(), IsOk());
  EXPECT_THAT(held_.assert_sizes(), ElementsAre(100, 100, 50));
  EXPECT_EQ(asserted_.size(), 250u);
  EXPECT_EQ(held_.size(), 250u);
}

TEST_F(ReconciliationTest, TheLargestLeasesFitIntoOneRequest) {
  v1::GrantedLease lease = daemon_.MakeLease(4096);
  lease.set_buffer_name(std::string(128, 'n'));
  lease.set_generation(UINT64_MAX);
  lease.set_size_bytes(UINT64_MAX);
  lease.mutable_ttl()->set_seconds(60);
  for (size_t i = 0; i < Reconciliation::kMaxAssertions; ++i) {
    lease.set_lease_id(absl::StrCat(1'000'000'000'000'000 + i));
    known_.Granted(lease.lease_id(), lease);
  }
  size_t bytes = 0;
  daemon_.on_assert = [&](const v1::AssertRequest& request, auto*) {
    bytes = request.ByteSizeLong();
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  };
  EXPECT_THAT(reconciliation_.AssertKnown(),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_GT(bytes, 20'000u);
  EXPECT_LT(bytes, 32'768u);
}

TEST_F(ReconciliationTest, NothingKnownNeedsNoCall) {
  EXPECT_THAT(reconciliation_.AssertKnown(), IsOk());
  EXPECT_THAT(held_.assert_sizes(), IsEmpty());
}

TEST_F(ReconciliationTest, ALeaseThatIsNotTakenUpIsLost) {
  const grpc::StatusCode verdicts[] = {grpc::StatusCode::NOT_FOUND,
                                       grpc::StatusCode::FAILED_PRECONDITION,
                                       grpc::StatusCode::PERMISSION_DENIED};
  for (const grpc::StatusCode code : verdicts) {
    const v1::GrantedLease lost = Grant("lost");
    const v1::GrantedLease live = Grant("live");
    held_.assert_result = [&](const std::string& id) {
      return id == lost.lease_id() ? ResultOf(code) : v1::Result();
    };
    EXPECT_THAT(reconciliation_.AssertKnown(), IsOk());
    EXPECT_THAT(
        known_.VerdictOn(lost.lease_id()),
        StatusIs(static_cast<absl::StatusCode>(code), "so the daemon says"));
    EXPECT_TRUE(known_.IsLive(live.lease_id()));
  }
}

TEST_F(ReconciliationTest, AnUndecidedLeaseIsLiveAndAskedForAgain) {
  const v1::GrantedLease lease = Grant("request");
  for (const grpc::StatusCode code :
       {grpc::StatusCode::RESOURCE_EXHAUSTED,
        grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::INTERNAL,
        grpc::StatusCode::UNKNOWN, grpc::StatusCode::UNIMPLEMENTED,
        grpc::StatusCode::UNAVAILABLE,
        // None that there is.
        static_cast<grpc::StatusCode>(99)}) {
    held_.assert_result = [&](const auto&) { return ResultOf(code); };
    EXPECT_FALSE(reconciliation_.AssertKnown().ok()) << code;
    EXPECT_TRUE(known_.IsLive(lease.lease_id())) << code;
    EXPECT_FALSE(absl::IsUnavailable(reconciliation_.AssertKnown()))
        << "the daemon is there";
    const absl::Status alone = reconciliation_.AssertOne(lease.lease_id());
    EXPECT_FALSE(alone.ok() || absl::IsNotFound(alone)) << alone;
    EXPECT_TRUE(known_.IsLive(lease.lease_id())) << code;
  }
  EXPECT_THAT(asserted_, IsEmpty());
  held_.assert_result = nullptr;
  EXPECT_THAT(reconciliation_.AssertKnown(), IsOk());
  EXPECT_THAT(asserted_, ElementsAre(lease.lease_id()));
}

TEST_F(ReconciliationTest, ACallThatIsRefusedEndsNoLeaseAndIsToBeTriedAgain) {
  // So that there are two calls.
  for (size_t i = 0; i <= Reconciliation::kMaxAssertions; ++i) {
    Grant(absl::StrCat("request ", i));
  }
  const size_t all = Reconciliation::kMaxAssertions + 1;
  for (const grpc::StatusCode code :
       {grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::NOT_FOUND,
        grpc::StatusCode::PERMISSION_DENIED,
        grpc::StatusCode::FAILED_PRECONDITION}) {
    int calls = 0;
    daemon_.on_assert = [&](const auto&, auto*) {
      ++calls;
      return grpc::Status(code, "not understood");
    };
    EXPECT_THAT(reconciliation_.AssertKnown(),
                StatusIs(static_cast<absl::StatusCode>(code)));
    EXPECT_EQ(calls, 2) << "the one is not refused for the other's sake";
    EXPECT_EQ(known_.Live().size(), all);
  }
}

TEST_F(ReconciliationTest, AMalformedAnswerEndsNoLease) {
  const v1::GrantedLease lease = Grant("request");
  const std::vector<std::function<void(v1::AssertResponse*)>> answers = {
      [](auto*) {},
      // As many as there are leases, and nothing in it: no time to live.
      [](auto* response) { response->add_asserted(); },
      [](auto* response) {
        response->add_asserted()->mutable_ttl()->set_seconds(-60);
      },
      // One more than there are leases.
      [](auto* response) {
        *response->add_asserted()->mutable_result() =
            ResultOf(grpc::StatusCode::NOT_FOUND);
        response->add_asserted();
      }};
  for (const auto& answer : answers) {
    daemon_.on_assert = [&](const auto&, v1::AssertResponse* response) {
      answer(response);
      return grpc::Status::OK;
    };
    EXPECT_THAT(reconciliation_.AssertKnown(),
                StatusIs(absl::StatusCode::kInternal));
    EXPECT_TRUE(known_.IsLive(lease.lease_id()));
    EXPECT_THAT(asserted_, IsEmpty()) << "its renewal would end";
  }
}

TEST_F(ReconciliationTest, AnOlderDaemonWithoutTheCallIsLeftAlone) {
  const v1::GrantedLease lease = Grant("request");
  daemon_.on_assert = nullptr;
  EXPECT_THAT(reconciliation_.AssertKnown(), IsOk());
  EXPECT_TRUE(known_.IsLive(lease.lease_id()));
  EXPECT_THAT(reconciliation_.AssertOne(lease.lease_id()),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ReconciliationTest, ALostConnectionIsToBeTriedAgain) {
  Grant("request");
  daemon_.on_assert = [this](const auto&, auto*) {
    daemon_.LoseConnection();
    return grpc::Status::OK;
  };
  EXPECT_THAT(reconciliation_.AssertKnown(),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ReconciliationTest, OneLeaseAloneGetsItsVerdict) {
  const v1::GrantedLease lease = Grant("request");
  EXPECT_THAT(reconciliation_.AssertOne("unknown"),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(reconciliation_.AssertOne(lease.lease_id()), IsOk());
  held_.assert_result = [](const auto&) {
    return ResultOf(grpc::StatusCode::FAILED_PRECONDITION);
  };
  EXPECT_THAT(reconciliation_.AssertOne(lease.lease_id()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ReconciliationTest, ReleasesWhatIsForgottenAndNothingElse) {
  const v1::GrantedLease known = Grant("known");
  ASSERT_THAT(reconciliation_.AssertKnown(), IsOk());
  known_.Begin("in flight");
  const std::string in_flight = held_.Add("this client", "in flight");
  const std::string others = held_.Add("another client", "request");
  std::vector<std::string> forgotten;
  for (int i = 0; i < 10; ++i) {
    forgotten.push_back(held_.Add("this client", absl::StrCat("lost ", i)));
  }
  const absl::StatusOr<bool> released = reconciliation_.ReleaseForgotten();
  ASSERT_THAT(released, IsOk());
  EXPECT_TRUE(*released);
  EXPECT_TRUE(held_.Has(known.lease_id()));
  EXPECT_TRUE(held_.Has(in_flight));
  EXPECT_TRUE(held_.Has(others));
  for (const std::string& id : forgotten) EXPECT_FALSE(held_.Has(id));
  EXPECT_THAT(held_.release_sizes(), ElementsAre(10));
  EXPECT_EQ(held_.lists(), 4);
}

TEST_F(ReconciliationTest, ManyForgottenLeasesAreReleasedInSeveralCalls) {
  held_.page_size = 1000;
  for (int i = 0; i < 1100; ++i) {
    held_.Add("this client", absl::StrCat("lost ", i));
  }
  EXPECT_THAT(reconciliation_.ReleaseForgotten(), IsOk());
  EXPECT_EQ(held_.size(), 0u);
  EXPECT_THAT(held_.release_sizes(), ElementsAre(1000, 100));
}

TEST_F(ReconciliationTest, ARequestInDoubtIsLookedForUntilItsLeaseShowsUp) {
  known_.Begin("given up");
  known_.GivenUp("given up", MonotonicClock::Get().Now());
  absl::StatusOr<bool> done = reconciliation_.ReleaseForgotten();
  ASSERT_THAT(done, IsOk());
  EXPECT_FALSE(*done);
  held_.Add("this client", "given up");
  done = reconciliation_.ReleaseForgotten();
  ASSERT_THAT(done, IsOk());
  EXPECT_TRUE(*done);
  EXPECT_EQ(held_.size(), 0u);
}

TEST_F(ReconciliationTest, ADoubtStaysWhileTheReleaseIsNotAnswered) {
  known_.Begin("given up");
  known_.GivenUp("given up", MonotonicClock::Get().Now());
  held_.Add("this client", "given up");
  daemon_.on_release = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "away");
  };
  EXPECT_THAT(reconciliation_.ReleaseForgotten(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("away")));
  EXPECT_EQ(known_.in_doubt(), 1u);
}

TEST_F(ReconciliationTest, AListGoesOnAfterAPageWithoutBuffers) {
  const std::string first = held_.Add("this client", "first");
  const std::string last = held_.Add("this client", "last");
  const auto buffer_with = [](const std::string& id) {
    v1::Buffer buffer;
    buffer.set_name("b");
    v1::BufferLease* const lease = buffer.add_leases();
    lease->set_lease_id(id);
    lease->set_client_id("this client");
    lease->set_request_id("of " + id);
    return buffer;
  };
  // Two pages show two leases of the same buffer, and one before, between and
  // after them shows nothing.
  daemon_.on_list_buffers = [&](const v1::ListBuffersRequest& request,
                                v1::ListBuffersResponse* response) {
    const std::string& token = request.page_token();
    if (token == "2") *response->add_buffers() = buffer_with(first);
    if (token == "4") *response->add_buffers() = buffer_with(last);
    const int page = token.empty() ? 1 : std::stoi(token);
    if (page < 5) response->set_next_page_token(absl::StrCat(page + 1));
    return grpc::Status::OK;
  };
  const absl::StatusOr<bool> released = reconciliation_.ReleaseForgotten();
  ASSERT_THAT(released, IsOk());
  EXPECT_TRUE(*released);
  EXPECT_EQ(held_.size(), 0u);
}

TEST_F(ReconciliationTest, AListThatLeadsNowhereIsToBeTriedAgain) {
  known_.Begin("given up");
  known_.GivenUp("given up", MonotonicClock::Get().Now());
  daemon_.on_list_buffers = [](const auto&, v1::ListBuffersResponse* response) {
    response->set_next_page_token("the same");
    return grpc::Status::OK;
  };
  EXPECT_THAT(reconciliation_.ReleaseForgotten(),
              StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(known_.in_doubt(), 1u);
}

TEST_F(ReconciliationTest, ADaemonThatCanNotListIsLeftAlone) {
  daemon_.on_list_buffers = nullptr;
  EXPECT_THAT(reconciliation_.ReleaseForgotten(), IsOk());
}

}  // namespace
}  // namespace warmpool
