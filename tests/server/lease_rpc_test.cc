// Lease, Attach, Release and Renew against a real daemon.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kTwoMiB = 2 << 20;

void ExpectAddsUp(const v1::ByteAccount& bytes) {
  EXPECT_EQ(bytes.capacity_bytes(),
            bytes.leased_bytes() + bytes.retained_bytes() +
                bytes.batched_bytes() + bytes.stock_bytes() +
                bytes.quarantined_bytes() + bytes.overhead_bytes() +
                bytes.free_bytes());
}

class LeaseRpcTest : public ::testing::Test {
 protected:
  grpc::Status LeaseStatus(const v1::LeaseRequest& request) {
    v1::LeaseResponse response;
    return client_.Lease(request, &response);
  }

  DaemonProcess daemon_{{"--capacity_bytes=64MiB", "--default_ttl=0",
                         "--max_ttl=1h", "--bigcache_decay=inf"}};
  RawClient client_{daemon_.target()};
};

TEST_F(LeaseRpcTest, ALeaseNamesAFileThatIsWhollyAllocated) {
  const v1::GrantedLease lease =
      client_.MustLease(RawClient::LeaseOf(kTwoMiB - 5));
  EXPECT_EQ(lease.lease_id().size(), 16u);
  EXPECT_THAT(lease.buffer_name(), Not(::testing::IsEmpty()));
  EXPECT_EQ(lease.size_bytes(), kTwoMiB - 5);
  EXPECT_EQ(lease.mapped_bytes(), kTwoMiB);
  EXPECT_THAT(lease.page_size_bytes(), ::testing::AnyOf(4096u, kTwoMiB))
      << "as the machine has them";
  EXPECT_EQ(lease.warmth(), v1::WARMTH_FRESH);
  EXPECT_TRUE(lease.zeroed());
  EXPECT_GT(lease.generation(), 0u);
  struct stat file;
  ASSERT_EQ(stat(lease.path().c_str(), &file), 0) << lease.path();
  EXPECT_EQ(file.st_mode & 07777, 0600u);
  EXPECT_EQ(static_cast<uint64_t>(file.st_size), kTwoMiB);
  EXPECT_EQ(static_cast<uint64_t>(file.st_blocks) * 512, kTwoMiB);
  const v1::ByteAccount bytes = client_.Stats().bytes();
  EXPECT_EQ(bytes.leased_bytes(), kTwoMiB);
  ExpectAddsUp(bytes);
}

TEST_F(LeaseRpcTest, APathOutlivesNoLeaseThatExpired) {
  v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
  request.mutable_ttl()->set_nanos(20'000'000);
  // Whoever has it is stopped, and opens it later.
  const v1::GrantedLease expired = client_.MustLease(request);
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (client_.Stats().bytes().retained_bytes() < kTwoMiB) {
    ASSERT_LT(absl::Now(), deadline);
    absl::SleepFor(absl::Milliseconds(5));
  }
  const v1::GrantedLease next = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  EXPECT_EQ(next.warmth(), v1::WARMTH_WARM);
  EXPECT_NE(next.path(), expired.path());
  EXPECT_EQ(open(expired.path().c_str(), O_RDWR), -1);
  EXPECT_EQ(errno, ENOENT);
  const int fd = open(next.path().c_str(), O_RDWR);
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST_F(LeaseRpcTest, AHoleMakesABufferUnfitWhateverIsBeyondItsEnd) {
  const v1::GrantedLease holed = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  const int fd = open(holed.path().c_str(), O_RDWR);
  ASSERT_EQ(
      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kTwoMiB / 4),
      0);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, kTwoMiB, kTwoMiB / 4), 0);
  close(fd);
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(holed)).code(), 0);
  const v1::GrantedLease next = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  EXPECT_NE(next.path(), holed.path());
  EXPECT_NE(next.warmth(), v1::WARMTH_WARM);
}

TEST_F(LeaseRpcTest, AReleasedBufferComesBackWarmUnlessZeroesAreAskedFor) {
  const v1::GrantedLease first = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  const int fd = open(first.path().c_str(), O_RDWR);
  ASSERT_EQ(pwrite(fd, "warm", 4, 0), 4);
  close(fd);
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(first)).code(), 0);
  EXPECT_EQ(client_.Stats().bytes().retained_bytes(), kTwoMiB);

  v1::LeaseRequest zeroed = RawClient::LeaseOf(kTwoMiB);
  zeroed.set_require_zeroed(true);
  const v1::GrantedLease second = client_.MustLease(zeroed);
  EXPECT_NE(second.path(), first.path());
  EXPECT_TRUE(second.zeroed());

  const v1::GrantedLease third = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  EXPECT_EQ(third.path(), first.path());
  EXPECT_EQ(third.warmth(), v1::WARMTH_WARM);
  EXPECT_FALSE(third.zeroed());
  EXPECT_NE(third.lease_id(), first.lease_id());
  EXPECT_GT(third.generation(), first.generation());
  const v1::GetStatsResponse stats = client_.Stats();
  EXPECT_EQ(stats.bigcache().hits(), 1u);
  EXPECT_EQ(stats.bigcache().misses_empty(), 1u);
  EXPECT_EQ(stats.bigcache().misses_zeroed(), 1u);
}

TEST_F(LeaseRpcTest, ABufferReleasedWhileMappedIsNotGivenToAnybody) {
  const v1::GrantedLease lease = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  const int fd = open(lease.path().c_str(), O_RDWR);
  void* const mapped =
      mmap(nullptr, kTwoMiB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  close(fd);
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(lease)).code(), 0);
  ExpectAddsUp(client_.Stats().bytes());
  const v1::GrantedLease other = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  EXPECT_NE(other.path(), lease.path());
  v1::ByteAccount bytes = client_.Stats().bytes();
  EXPECT_EQ(bytes.quarantined_bytes(), kTwoMiB);
  ExpectAddsUp(bytes);
  munmap(mapped, kTwoMiB);
  EXPECT_TRUE(Eventually(
      [&] { return client_.Stats().bytes().quarantined_bytes() == 0; }));
}

TEST_F(LeaseRpcTest, TheSameRequestIdGetsTheSameLease) {
  const v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
  const v1::GrantedLease first = client_.MustLease(request);
  const v1::GrantedLease again = client_.MustLease(request);
  EXPECT_EQ(again.lease_id(), first.lease_id());
  EXPECT_EQ(again.path(), first.path());
  EXPECT_EQ(client_.Stats().leases().live_leases(), 1u);
  EXPECT_EQ(client_.Stats().leases().replayed(), 1u);
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(first)).code(), 0);
  const grpc::Status late = LeaseStatus(request);
  EXPECT_EQ(late.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(late.error_message(), HasSubstr("was released"));
}

TEST_F(LeaseRpcTest, AnAttachedBufferIsCountedOnceAndOutlivesItsFirstLease) {
  v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
  request.set_name("frames/0");
  const v1::GrantedLease lease = client_.MustLease(request);
  RawClient other(daemon_.target());
  v1::AttachResponse attached;
  ASSERT_TRUE(other
                  .Call(&RawClient::Stub::Attach,
                        RawClient::AttachOf("frames/0"), &attached)
                  .ok());
  EXPECT_NE(attached.lease().lease_id(), lease.lease_id());
  EXPECT_EQ(attached.lease().path(), lease.path());
  EXPECT_EQ(attached.lease().generation(), lease.generation());
  EXPECT_EQ(attached.lease().access(), v1::ACCESS_SHARED_WRITABLE);
  EXPECT_EQ(client_.Stats().bytes().leased_bytes(), kTwoMiB);
  EXPECT_EQ(client_.Stats().leases().live_leases(), 2u);
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(lease)).code(), 0);
  EXPECT_EQ(client_.Stats().bytes().leased_bytes(), kTwoMiB);
  EXPECT_EQ(other.Release(RawClient::ReleaseOf(attached.lease())).code(), 0);
  EXPECT_EQ(client_.Stats().bytes().leased_bytes(), 0u);
}

TEST_F(LeaseRpcTest, ATakenNameIsRefusedWithItsHolder) {
  v1::LeaseRequest request = RawClient::LeaseOf(4096);
  request.set_name("taken");
  client_.MustLease(request);
  request.set_request_id(RawClient::LeaseOf(1).request_id());
  const grpc::Status status = LeaseStatus(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(status.error_message(),
              HasSubstr(absl::StrCat("pid ", getpid())));
}

TEST_F(LeaseRpcTest, AFullPoolSaysWhatIsFree) {
  for (int i = 0; i < 3; ++i) client_.MustLease(RawClient::LeaseOf(16 << 20));
  const grpc::Status status = LeaseStatus(RawClient::LeaseOf(16 << 20));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("14675968 bytes free"));
  EXPECT_EQ(client_.Stats().leases().refused_exhausted(), 1u);
  ExpectAddsUp(client_.Stats().bytes());
  EXPECT_EQ(daemon_.SegmentFiles().size(), 3u);
}

TEST_F(LeaseRpcTest, RetainedBuffersMakeRoomForOthers) {
  const v1::GrantedLease lease =
      client_.MustLease(RawClient::LeaseOf(48 << 20));
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(lease)).code(), 0);
  // Half of the capacity is all that may be retained.
  EXPECT_EQ(client_.Stats().bigcache().evicted_byte_cap(), 1u);
  const v1::GrantedLease small =
      client_.MustLease(RawClient::LeaseOf(28 << 20));
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(small)).code(), 0);
  client_.MustLease(RawClient::LeaseOf(56 << 20));
  EXPECT_EQ(client_.Stats().bigcache().evicted_for_room(), 1u);
}

TEST_F(LeaseRpcTest, TimesToLiveAreDefaultedAndCut) {
  EXPECT_EQ(client_.MustLease(RawClient::LeaseOf(1)).ttl().seconds(), 0);
  v1::LeaseRequest request = RawClient::LeaseOf(1);
  request.mutable_ttl()->set_seconds(7200);
  const v1::GrantedLease lease = client_.MustLease(request);
  EXPECT_EQ(lease.ttl().seconds(), 3600);

  v1::RenewRequest renew;
  v1::RenewRequest::Renewal* const renewal = renew.add_renewals();
  renewal->mutable_lease()->set_lease_id(lease.lease_id());
  renewal->mutable_ttl()->set_seconds(5);
  renew.add_renewals()->mutable_lease()->set_lease_id(std::string(16, 'x'));
  v1::RenewResponse renewed;
  ASSERT_TRUE(client_.Call(&RawClient::Stub::Renew, renew, &renewed).ok());
  ASSERT_EQ(renewed.renewed_size(), 2);
  EXPECT_EQ(renewed.renewed(0).result().code(), 0);
  EXPECT_EQ(renewed.renewed(0).ttl().seconds(), 5);
  EXPECT_EQ(renewed.renewed(1).result().code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(LeaseRpcTest, AnExpiredLeaseEndsAndSaysSo) {
  v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
  request.mutable_ttl()->set_nanos(1'000'000);
  const v1::GrantedLease lease = client_.MustLease(request);
  EXPECT_TRUE(
      Eventually([&] { return client_.Stats().leases().live_leases() == 0; }));
  EXPECT_EQ(client_.Stats().leases().expired(), 1u);
  const v1::Result late = client_.Release(RawClient::ReleaseOf(lease));
  EXPECT_EQ(late.code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(late.message(), HasSubstr("expired"));
}

TEST_F(LeaseRpcTest, EachReleaseOfARequestHasItsOwnResult) {
  const v1::GrantedLease lease = client_.MustLease(RawClient::LeaseOf(4096));
  v1::ReleaseRequest request;
  request.add_leases()->set_lease_id("short");
  request.add_leases()->set_lease_id(std::string(16, '\0'));
  v1::LeaseRef* const stale = request.add_leases();
  stale->set_lease_id(lease.lease_id());
  stale->set_generation(lease.generation() + 1);
  request.add_leases()->set_lease_id(lease.lease_id());
  request.add_leases()->set_lease_id(lease.lease_id());
  v1::ReleaseResponse response;
  ASSERT_TRUE(client_.Call(&RawClient::Stub::Release, request, &response).ok());
  ASSERT_EQ(response.results_size(), 5);
  EXPECT_EQ(response.results(0).code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(response.results(0).message(), HasSubstr("5 bytes"));
  EXPECT_EQ(response.results(1).code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(response.results(2).code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(response.results(3).code(), 0);
  EXPECT_EQ(response.results(4).code(), 0);
  EXPECT_EQ(client_.Stats().leases().released(), 1u);
}

struct BadLease {
  const char* about;
  void (*spoil)(v1::LeaseRequest*);
  const char* told;
};

class BadLeaseTest : public LeaseRpcTest,
                     public ::testing::WithParamInterface<BadLease> {};

TEST_P(BadLeaseTest, IsRefusedByNameAndLeavesNothing) {
  v1::LeaseRequest request = RawClient::LeaseOf(4096);
  GetParam().spoil(&request);
  const grpc::Status status = LeaseStatus(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().told));
  const v1::GetStatsResponse stats = client_.Stats();
  EXPECT_EQ(stats.leases().live_leases(), 0u);
  EXPECT_EQ(stats.bytes().leased_bytes(), 0u);
  EXPECT_EQ(stats.leases().refused_invalid(), 1u);
  EXPECT_TRUE(daemon_.SegmentFiles().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Inputs, BadLeaseTest,
    ::testing::Values(
        BadLease{"SizeZero", [](auto* r) { r->set_size_bytes(0); }, "size 0"},
        BadLease{"SizeNegative", [](auto* r) { r->set_size_bytes(-5); },
                 "-5 as a signed number"},
        BadLease{"SizeAboveMaximum",
                 [](auto* r) { r->set_size_bytes((1 << 30) + 1); },
                 "1073741825"},
        BadLease{"SizeTwoToThe63",
                 [](auto* r) { r->set_size_bytes(uint64_t{1} << 63); },
                 "9223372036854775808"},
        BadLease{"NameEmpty", [](auto* r) { r->set_name(""); }, "empty"},
        BadLease{"NameTooLong",
                 [](auto* r) { r->set_name(std::string(129, 'n')); },
                 "129 bytes"},
        BadLease{"NameClimbs", [](auto* r) { r->set_name("a/../b"); }, ".."},
        BadLease{"NameWithNul",
                 [](auto* r) { r->set_name(std::string("a\0b", 3)); },
                 "the character '\\x00'"},
        BadLease{"NameNotAscii", [](auto* r) { r->set_name("gr\u00fc\u00df"); },
                 "\\xc3\\xbc"},
        BadLease{"TtlNegative",
                 [](auto* r) { r->mutable_ttl()->set_seconds(-5); }, "-5s"},
        BadLease{"TtlNotRepresentable",
                 [](auto* r) { r->mutable_ttl()->set_seconds(INT64_MAX); },
                 "9223372036854775807"},
        BadLease{"TtlOfTwoSigns",
                 [](auto* r) {
                   r->mutable_ttl()->set_seconds(1);
                   r->mutable_ttl()->set_nanos(-1);
                 },
                 "1 seconds and -1 nanos"},
        BadLease{"RequestIdAbsent", [](auto* r) { r->clear_request_id(); },
                 "request_id has 0 bytes"}),
    [](const auto& info) { return info.param.about; });

TEST_F(LeaseRpcTest, AttachingToNothingSaysTheName) {
  v1::AttachResponse response;
  const grpc::Status status = client_.Call(
      &RawClient::Stub::Attach, RawClient::AttachOf("nobody"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("nobody"));
}

}  // namespace
}  // namespace warmpool::testing
