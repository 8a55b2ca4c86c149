// What one client can make the daemon spend, against a real daemon, with
// requests that the library never makes.
#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/packed_call.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

#if defined(__has_feature)
constexpr bool kKeepsFreedMemory = __has_feature(address_sanitizer);
#else
constexpr bool kKeepsFreedMemory = false;
#endif

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

using SessionStream =
    grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>;

// A Session of which the test reads when it likes.
class Session {
 public:
  explicit Session(RawClient* client,
                   absl::Duration deadline = absl::Minutes(1)) {
    context_.set_wait_for_ready(true);
    context_.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
    stream_ = client->stub().Session(&context_);
  }
  // Whoever writes meanwhile is told so.
  void Cancel() { context_.TryCancel(); }
  ~Session() { Cancel(); }

  SessionStream& stream() { return *stream_; }
  v1::SessionReply ReadReply() {
    v1::SessionResponse response;
    while (stream_->Read(&response)) {
      if (response.has_reply()) return response.reply();
    }
    ADD_FAILURE() << "the Session ended";
    return v1::SessionReply();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<SessionStream> stream_;
};

uint64_t ResidentMiB(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  uint64_t kib = 0;
  while (status >> word) {
    if (word == "VmRSS:" && status >> kib) break;
  }
  return kib >> 10;
}

class LimitsTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> flags) {
    flags.push_back("--default_ttl=0");
    daemon_ = std::make_unique<DaemonProcess>(flags);
    client_ = std::make_unique<RawClient>(daemon_->target());
    other_ = std::make_unique<RawClient>(daemon_->target());
  }

  // A lease that was never warm: a worker has to make it.
  absl::Duration TimeOfFreshLease() {
    const absl::Time begun = absl::Now();
    v1::LeaseRequest request = RawClient::LeaseOf(6 * kMiB);
    request.set_require_zeroed(true);
    const v1::GrantedLease lease = other_->MustLease(request);
    const absl::Duration took = absl::Now() - begun;
    EXPECT_EQ(other_->Release(RawClient::ReleaseOf(lease)).code(), 0);
    return took;
  }

  std::unique_ptr<DaemonProcess> daemon_;
  std::unique_ptr<RawClient> client_;
  std::unique_ptr<RawClient> other_;
};

v1::SessionRequest LeaseManyOf(uint64_t tag, int count, uint64_t bytes) {
  v1::SessionRequest request;
  request.set_tag(tag);
  for (int i = 0; i < count; ++i) {
    *request.mutable_lease_many()->add_leases() = RawClient::LeaseOf(bytes);
  }
  return request;
}

void ReportIdle(Session* session, uint64_t bytes) {
  v1::SessionRequest report;
  report.mutable_idle()->set_idle_bytes(bytes);
  report.mutable_idle()->set_idle_leases(1);
  ASSERT_TRUE(session->stream().Write(report));
}

TEST_F(LimitsTest, RequestsThatWaitingCannotHelpHoldUpNobody) {
  Start({"--capacity_bytes=512MiB", "--stock_bytes=0"});
  Session greedy(client_.get());
  ReportIdle(&greedy, kMiB);
  for (int i = 0; i < 16; ++i) {
    ASSERT_TRUE(greedy.stream().Write(LeaseManyOf(i + 1, 64, kGiB)));
  }
  const absl::Time begun = absl::Now();
  for (int i = 0; i < 16; ++i) {
    const v1::SessionReply reply = greedy.ReadReply();
    ASSERT_EQ(reply.lease_many().outcomes_size(), 64);
    EXPECT_EQ(reply.lease_many().outcomes(0).result().code(),
              grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
  // 1024 of them, 250 ms each, would be minutes.
  EXPECT_LT(absl::Now() - begun, absl::Seconds(5));
}

TEST_F(LimitsTest, WaitingForMemoryOccupiesNoWorker) {
  Start({"--capacity_bytes=64MiB", "--stock_bytes=0"});
  // All but what the other needs.
  const v1::GrantedLease held =
      client_->MustLease(RawClient::LeaseOf(48 * kMiB));
  Session greedy(client_.get());
  ReportIdle(&greedy, 48 * kMiB);
  for (int i = 0; i < 16; ++i) {
    ASSERT_TRUE(greedy.stream().Write(LeaseManyOf(i + 1, 64, 32 * kMiB)));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_LT(TimeOfFreshLease(), absl::Seconds(2)) << "behind all that wait";
  }
  for (int i = 0; i < 16; ++i) greedy.ReadReply();
  EXPECT_EQ(client_->Release(RawClient::ReleaseOf(held)).code(), 0);
}

TEST_F(LimitsTest, TheLeasesOfOneRequestWaitNoLongerThanOne) {
  Start({"--capacity_bytes=64MiB", "--stock_bytes=0"});
  const v1::GrantedLease held =
      client_->MustLease(RawClient::LeaseOf(48 * kMiB));
  Session session(client_.get());
  ReportIdle(&session, 48 * kMiB);
  const absl::Time begun = absl::Now();
  ASSERT_TRUE(session.stream().Write(LeaseManyOf(1, 64, 32 * kMiB)));
  EXPECT_EQ(session.ReadReply().lease_many().outcomes_size(), 64);
  // 250 ms for all of them; each for itself would be 16 s.
  EXPECT_LT(absl::Now() - begun, absl::Seconds(8));
}

TEST_F(LimitsTest, ALeaseThatWaitsGetsWhatComesBack) {
  Start({"--capacity_bytes=64MiB", "--stock_bytes=0"});
  const v1::GrantedLease held =
      client_->MustLease(RawClient::LeaseOf(48 * kMiB));
  Session session(client_.get());
  ReportIdle(&session, 48 * kMiB);
  v1::SessionRequest request;
  request.set_tag(1);
  *request.mutable_lease() = RawClient::LeaseOf(32 * kMiB);
  ASSERT_TRUE(session.stream().Write(request));
  // The library does so when it is asked for idle memory.
  v1::SessionResponse notice;
  ASSERT_TRUE(session.stream().Read(&notice));
  EXPECT_EQ(notice.trim().wanted_bytes(), 32 * kMiB);
  EXPECT_EQ(client_->Release(RawClient::ReleaseOf(held)).code(), 0);
  const v1::SessionReply reply = session.ReadReply();
  EXPECT_EQ(reply.tag(), 1u);
  EXPECT_EQ(reply.status().code(), 0) << reply.status().message();
}

TEST_F(LimitsTest, RequestsOfTooManyLeasesAreRefused) {
  Start({});
  v1::ReleaseRequest release;
  v1::RenewRequest renew;
  v1::AssertRequest assertion;
  for (int i = 0; i <= 1000; ++i) {
    release.add_leases();
    renew.add_renewals();
    assertion.add_leases();
  }
  v1::ReleaseResponse released;
  v1::RenewResponse renewed;
  v1::AssertResponse asserted;
  for (const grpc::Status& status :
       {client_->Call(&RawClient::Stub::Release, release, &released),
        client_->Call(&RawClient::Stub::Renew, renew, &renewed),
        client_->Call(&RawClient::Stub::Assert, assertion, &asserted)}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("at most 1000"));
  }
  release.mutable_leases()->RemoveLast();
  EXPECT_TRUE(
      client_->Call(&RawClient::Stub::Release, release, &released).ok());
  EXPECT_EQ(released.results_size(), 1000);

  // Those that ride along have no reply: the stream says so.
  Session session(client_.get());
  v1::SessionRequest request;
  for (int i = 0; i <= 1000; ++i) request.add_released();
  ASSERT_TRUE(session.stream().Write(request));
  v1::SessionResponse response;
  EXPECT_FALSE(session.stream().Read(&response));
  EXPECT_EQ(session.stream().Finish().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(LimitsTest, WhatNobodyReadsIsBounded) {
  Start({});
  const uint64_t quiet = ResidentMiB(daemon_->pid());
  v1::SessionRequest request;
  request.set_tag(1);
  for (int i = 0; i < 1000; ++i) request.mutable_release()->add_leases();
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::thread> writers;
  for (int i = 0; i < 20; ++i) {
    sessions.push_back(std::make_unique<Session>(client_.get()));
    writers.emplace_back([&request, session = sessions.back().get()] {
      // Until the daemon reads no further, or ends the Session.
      for (int k = 0; k < 200 && session->stream().Write(request); ++k) {
      }
    });
  }
  uint64_t most = 0;
  for (int i = 0; i < 100; ++i) {
    most = std::max(most, ResidentMiB(daemon_->pid()));
    absl::SleepFor(absl::Milliseconds(10));
  }
  // AddressSanitizer keeps what is freed, 256 MiB of it.
  if (!kKeepsFreedMemory) {
    EXPECT_LT(most, quiet + 64);
  }
  for (const auto& session : sessions) session->Cancel();
  for (std::thread& writer : writers) writer.join();
}

TEST_F(LimitsTest, CallsOfOneUidAreCounted) {
  Start({});
  // Over several connections, for one may have 1000.
  std::vector<std::unique_ptr<RawClient>> clients;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GetStatsResponse>>>
      watches;
  v1::WatchStatsRequest request;
  request.mutable_interval()->set_seconds(3600);
  v1::GetStatsResponse stats;
  int granted = 0;
  for (int i = 0; i < 100; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    RawClient::SetDeadline(contexts.back().get());
    watches.push_back(
        client_->stub().WatchStats(contexts.back().get(), request));
    if (!watches.back()->Read(&stats)) break;
    ++granted;
  }
  EXPECT_EQ(granted, 64);
  const grpc::Status status = watches.back()->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("64 that one uid may have"));
  watches.pop_back();
  contexts.front()->TryCancel();
  EXPECT_TRUE(Eventually([&] {
    grpc::ClientContext context;
    RawClient::SetDeadline(&context);
    const auto watch = client_->stub().WatchStats(&context, request);
    const bool begun = watch->Read(&stats);
    context.TryCancel();
    return begun;
  }));
  for (const auto& context : contexts) context->TryCancel();
}

TEST_F(LimitsTest, CompressedRequestsAreRefused) {
  Start({});
  grpc::ChannelArguments arguments;
  arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  RawClient client(daemon_->target(), arguments);
  v1::LeaseRequest request = RawClient::LeaseOf(4096);
  // Compressible, so that it is compressed.
  request.set_name(std::string(100, 'a'));
  v1::LeaseResponse response;
  const grpc::Status status = client.Lease(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED)
      << status.error_message();
}

TEST_F(LimitsTest, RequestsThatAreNoSuchMessageAreRefused) {
  Start({});
  const std::string nonsense = "\xff\xff\xff";
  for (const std::string method :
       {"Lease", "Release", "Attach", "Claim", "GetStats"}) {
    const grpc::Status status = CallPacked(
        client_->channel(), "/warmpool.v1.MemoryPool/" + method, nonsense);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(method + "Request"));
  }
  EXPECT_EQ(
      CallPacked(client_->channel(), "/grpc.health.v1.Health/Check", nonsense)
          .error_code(),
      grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(LimitsTest, LongRequestsAreServedIfTheyMayListMany) {
  Start({});
  // A field that nobody knows, as of a later version of the protocol.
  const std::string unknown =
      std::string("\xfa\x7f\xb8\x17", 4) + std::string(3000, 'x');
  const std::string lease = RawClient::LeaseOf(4096).SerializeAsString();
  EXPECT_TRUE(CallPacked(client_->channel(), "/warmpool.v1.MemoryPool/Lease",
                         lease + unknown)
                  .ok());
  for (const std::string method :
       {"/warmpool.v1.MemoryPool/Attach", "/grpc.health.v1.Health/Check"}) {
    const grpc::Status status = CallPacked(client_->channel(), method, unknown);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("more than 2048"));
  }
}

}  // namespace
}  // namespace warmpool::testing
