// A daemon whose files may not be large (RLIMIT_FSIZE).
#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/shell_daemon.h"

namespace warmpool::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint64_t kMiB = 1 << 20;

// `ulimit -f` of sh counts blocks of 512 bytes.
std::string Limited(uint64_t bytes) {
  return absl::StrCat("ulimit -f ", bytes / 512, "; ", ShellDaemon::kExec);
}

TEST(FileSizeLimitTest, ALeaseBeyondItIsRefusedWithTheLimitAndTheRemedy) {
  ShellDaemon daemon(Limited(kMiB));
  ASSERT_THAT(daemon.LineWith("larger buffers can't be leased"),
              AllOf(HasSubstr("largest=\"1 MiB\""), HasSubstr("ulimit -f")));
  ASSERT_TRUE(daemon.Listens());
  RawClient client(daemon.target());
  const v1::GrantedLease kept = client.MustLease(RawClient::LeaseOf(kMiB));
  const uint64_t leased = client.Stats().bytes().leased_bytes();
  for (int i = 0; i < 10; ++i) {
    v1::LeaseResponse none;
    const grpc::Status refused =
        client.Lease(RawClient::LeaseOf(4 * kMiB), &none);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(refused.error_message(),
                AllOf(HasSubstr("RLIMIT_FSIZE"), HasSubstr("1048576 bytes"),
                      HasSubstr("ulimit -f"), HasSubstr("LimitFSIZE=")));
  }
  // Nothing is left of what could not be made.
  EXPECT_TRUE(Eventually([&] {
    const v1::ByteAccount bytes = client.Stats().bytes();
    return bytes.leased_bytes() == leased && bytes.batched_bytes() == 0 &&
           bytes.quarantined_bytes() == 0;
  }));
  size_t segments = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(daemon.shm_dir())) {
    segments += entry.path().extension() == ".seg";
  }
  EXPECT_EQ(segments, 1u);
  EXPECT_EQ(client.Release(RawClient::ReleaseOf(kept)).code(), 0);
  daemon.process().Signal(SIGTERM);
  EXPECT_EQ(daemon.process().Wait(), 0);
}

TEST(FileSizeLimitTest, ADaemonThatCantStartSaysWhy) {
  for (const uint64_t bytes : {0, 512, 2048}) {
    ShellDaemon daemon(Limited(bytes));
    EXPECT_THAT(daemon.process().ReadAll(),
                AllOf(HasSubstr("warmpoold: "), HasSubstr("RLIMIT_FSIZE"),
                      HasSubstr("LimitFSIZE=")))
        << bytes;
    EXPECT_EQ(daemon.process().Wait(), 1) << bytes;
  }
}

TEST(FileSizeLimitTest, AJournalThatCantGrowRefusesLeasesAndServesOn) {
  constexpr uint64_t kLimit = 128 << 10;
  ShellDaemon daemon(Limited(kLimit));
  ASSERT_TRUE(daemon.Listens());
  RawClient client(daemon.target());
  // Names make records long, so that the journal is full before the memory is.
  const std::string name(100, 'n');
  std::vector<v1::GrantedLease> leases;
  grpc::Status status;
  while (status.ok() && leases.size() < 4000) {
    v1::LeaseRequest request = RawClient::LeaseOf(4096);
    request.set_name(absl::StrCat(name, leases.size()));
    v1::LeaseResponse response;
    status = client.Lease(request, &response);
    if (status.ok()) leases.push_back(response.lease());
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr("RLIMIT_FSIZE"), HasSubstr("journal")));
  EXPECT_GT(leases.size(), 10u);
  EXPECT_EQ(client.Stats().leases().live_leases(), leases.size());
  // Releases are recorded, and make room for leases again.
  for (const v1::GrantedLease& lease : leases) {
    EXPECT_EQ(client.Release(RawClient::ReleaseOf(lease)).code(), 0);
  }
  client.MustLease(RawClient::LeaseOf(4096));
  EXPECT_EQ(client.Stats().leases().failed_journal_writes(), 0u);
  daemon.process().Signal(SIGTERM);
  EXPECT_EQ(daemon.process().Wait(), 0);
}

}  // namespace
}  // namespace warmpool::testing
