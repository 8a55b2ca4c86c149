// More buffers than a daemon may have descriptors.
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kMaxDescriptors = 128;
constexpr int kLeases = 400;
constexpr uint64_t kBytes = 64 << 10;

class DescriptorLimitTest : public ::testing::Test {
 protected:
  using Leases = std::vector<v1::GrantedLease>;

  Leases LeaseMany(RawClient& client) {
    Leases leases;
    for (int i = 0; i < kLeases; ++i) {
      leases.push_back(client.MustLease(RawClient::LeaseOf(kBytes)));
    }
    EXPECT_EQ(client.Stats().leases().live_leases(), uint64_t{kLeases});
    EXPECT_LE(daemon_.CountDescriptors(), size_t{kMaxDescriptors});
    return leases;
  }

  void ReleaseAll(RawClient& client, const Leases& leases) {
    v1::ReleaseRequest request;
    for (const v1::GrantedLease& lease : leases) {
      request.add_leases()->set_lease_id(lease.lease_id());
    }
    v1::ReleaseResponse response;
    EXPECT_TRUE(
        client.Call(&RawClient::Stub::Release, request, &response).ok());
    EXPECT_EQ(response.results_size(), kLeases);
    for (const v1::Result& result : response.results()) {
      EXPECT_EQ(result.code(), 0) << result.message();
    }
  }

  // Proven free, every one.
  void ExpectAllRetained(RawClient& client) {
    const v1::GetStatsResponse stats = client.Stats();
    EXPECT_EQ(stats.bytes().leased_bytes(), 0u);
    EXPECT_EQ(stats.bytes().quarantined_bytes(), 0u);
    EXPECT_EQ(stats.bytes().retained_bytes(), kLeases * kBytes);
    EXPECT_EQ(stats.bigcache().failed_proofs(), 0u);
    EXPECT_EQ(daemon_.SegmentFiles().size(), size_t{kLeases});
  }

  // Whatever happened before, the daemon ends in order and leaves nothing.
  void ExpectNothingLeft() {
    {
      RawClient client(daemon_.target());
      EXPECT_EQ(client.Stats().batch().failed_calls(), 0u);
    }
    EXPECT_EQ(daemon_.Terminate(), 0);
    EXPECT_FALSE(std::filesystem::exists(daemon_.shm_dir()));
  }

  DaemonProcess daemon_{{"--drain_timeout=0", "--capacity_bytes=256MiB",
                         "--bigcache_decay=inf", "--stock_bytes=0"},
                        "server/warmpoold",
                        kMaxDescriptors};
};

TEST_F(DescriptorLimitTest, HundredsOfLeasesAreGrantedReleasedAndWarmAgain) {
  RawClient client(daemon_.target());
  ReleaseAll(client, LeaseMany(client));
  ExpectAllRetained(client);
  const Leases again = LeaseMany(client);
  EXPECT_TRUE(std::all_of(again.begin(), again.end(), [](const auto& lease) {
    return lease.warmth() == v1::WARMTH_WARM;
  }));
  ReleaseAll(client, again);
  ExpectAllRetained(client);
  ExpectNothingLeft();
}

TEST_F(DescriptorLimitTest, NoPageOfALiveLeaseIsGivenToAnother) {
  RawClient client(daemon_.target());
  const Leases leases = LeaseMany(client);
  std::vector<std::unique_ptr<ChildProcess>> clients;
  for (const char* const seed : {"1", "2"}) {
    // Without a lease cache: every buffer goes through the daemon's proof.
    clients.push_back(std::make_unique<ChildProcess>(
        std::vector<std::string>{"tests/e2e/pattern_client", "churn",
                                 daemon_.target(), seed, "1000", "0"}));
  }
  for (const auto& process : clients) {
    EXPECT_EQ(process->ReadLine(), "ok");
    EXPECT_EQ(process->Wait(), 0);
  }
  EXPECT_LE(daemon_.CountDescriptors(), size_t{kMaxDescriptors});
  EXPECT_EQ(client.Stats().leases().live_leases(), uint64_t{kLeases});
  EXPECT_EQ(client.Stats().bytes().leased_bytes(), kLeases * kBytes);
  ReleaseAll(client, leases);
  ExpectNothingLeft();
}

TEST_F(DescriptorLimitTest, ADaemonThatIsKilledIsFollowedUnderTheSameLimit) {
  Leases leases;
  {
    RawClient client(daemon_.target());
    leases = LeaseMany(client);
  }
  daemon_.Restart();
  RawClient client(daemon_.target());
  EXPECT_EQ(client.Stats().leases().live_leases(), uint64_t{kLeases});
  EXPECT_LE(daemon_.CountDescriptors(), size_t{kMaxDescriptors});
  ReleaseAll(client, leases);
  ReleaseAll(client, LeaseMany(client));
  ExpectAllRetained(client);
  ExpectNothingLeft();
}

TEST_F(DescriptorLimitTest, ALeaseThatTheLimitRefusesNamesIt) {
  RawClient client(daemon_.target());
  client.Stats();
  rlimit limit{};
  ASSERT_EQ(prlimit(daemon_.pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
  EXPECT_EQ(limit.rlim_max, rlim_t{kMaxDescriptors});
  // All numbers below are taken.
  const rlimit none_left{8, limit.rlim_max};
  ASSERT_EQ(prlimit(daemon_.pid(), RLIMIT_NOFILE, &none_left, nullptr), 0);
  v1::LeaseResponse response;
  const grpc::Status refused =
      client.Lease(RawClient::LeaseOf(kBytes), &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(),
              AllOf(HasSubstr("RLIMIT_NOFILE"), HasSubstr("ulimit -n"),
                    HasSubstr("LimitNOFILE=")));
  EXPECT_EQ(client.Stats().bytes().leased_bytes(), 0u);
  ASSERT_EQ(prlimit(daemon_.pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  ReleaseAll(client, LeaseMany(client));
  ExpectAllRetained(client);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace warmpool::testing
