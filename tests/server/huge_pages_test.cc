// Segments with huge pages, from a real daemon to a client's mapping.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kHuge = 2 * kMiB;

// Bytes of the mapping at `data` that the kernel maps by 2 MiB.
uint64_t HugeBytesAt(const void* data) {
  std::ifstream maps("/proc/self/smaps");
  const std::string begin =
      absl::StrFormat("%x-", reinterpret_cast<uintptr_t>(data));
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    found |= line.rfind(begin, 0) == 0;
    if (found && line.rfind("ShmemPmdMapped:", 0) == 0) {
      return std::stoull(line.substr(15)) * 1024;
    }
  }
  return 0;
}

class HugePagesTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> flags) {
    flags.push_back("--capacity_bytes=256MiB");
    flags.push_back("--bigcache_decay=inf");
    daemon_.emplace(flags);
    client_.emplace(daemon_->target());
  }

  v1::HugePageCounts Counts() { return client_->Stats().huge_pages(); }

  void StartOrSkip() {
    Start({});
    if (Counts().method() == v1::HUGE_PAGE_METHOD_NONE) {
      GTEST_SKIP() << Counts().reason();
    }
  }

  std::optional<DaemonProcess> daemon_;
  std::optional<RawClient> client_;
};

TEST_F(HugePagesTest, ALeaseTellsThemAndItsMappingHasThem) {
  StartOrSkip();
  Client client = Client::Connect(daemon_->target()).value();
  for (const uint64_t bytes : {kHuge, kHuge + kMiB / 2, 64 * kMiB}) {
    Buffer buffer = client.Lease(bytes).value();
    EXPECT_EQ(buffer.page_size(), kHuge);
    EXPECT_TRUE(buffer.zeroed());
    EXPECT_EQ(HugeBytesAt(buffer.data()), buffer.mapped_size() / kHuge * kHuge);
    EXPECT_EQ(std::count(buffer.data(), buffer.data() + buffer.mapped_size(),
                         std::byte{0}),
              static_cast<ptrdiff_t>(buffer.mapped_size()));
    std::fill_n(buffer.data(), buffer.mapped_size(), std::byte{0x5a});
  }
  EXPECT_EQ(Counts().huge_segments(), 3u);
  EXPECT_EQ(Counts().small_segments(), 0u);
  EXPECT_EQ(Counts().reason(), "");
}

TEST_F(HugePagesTest, AFileTakesItsBytesAndNoMore) {
  StartOrSkip();
  for (const uint64_t bytes : {4096 + uint64_t{0}, kMiB, kHuge + kMiB / 2}) {
    const v1::GrantedLease lease =
        client_->MustLease(RawClient::LeaseOf(bytes));
    EXPECT_EQ(lease.page_size_bytes(), bytes < kHuge ? 4096u : kHuge);
    struct stat file;
    ASSERT_EQ(stat(lease.path().c_str(), &file), 0);
    EXPECT_EQ(static_cast<uint64_t>(file.st_blocks) * 512,
              lease.mapped_bytes());
  }
}

TEST_F(HugePagesTest, TheNextDaemonTellsThemToo) {
  StartOrSkip();
  const v1::GrantedLease lease = client_->MustLease(RawClient::LeaseOf(kHuge));
  ASSERT_EQ(lease.page_size_bytes(), kHuge);
  daemon_->Kill();
  daemon_->Restart();
  RawClient client(daemon_->target());
  v1::AttachResponse response;
  const grpc::Status attached =
      client.Call(&RawClient::Stub::Attach,
                  RawClient::AttachOf(lease.buffer_name()), &response);
  ASSERT_TRUE(attached.ok()) << attached.error_message();
  EXPECT_EQ(response.lease().page_size_bytes(), kHuge);
}

TEST_F(HugePagesTest, NeverMeansSmallOnes) {
  Start({"--huge_pages=never"});
  EXPECT_EQ(client_->MustLease(RawClient::LeaseOf(kHuge)).page_size_bytes(),
            4096u);
  EXPECT_EQ(Counts().method(), v1::HUGE_PAGE_METHOD_NONE);
  EXPECT_EQ(Counts().reason(), "");
  EXPECT_EQ(Counts().small_segments(), 0u);
}

// Processes that are started meanwhile have no huge pages.
class Forbidden {
 public:
  Forbidden() : done_(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0) {}
  ~Forbidden() { prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0); }
  bool done() const { return done_; }

 private:
  const bool done_;
};

TEST_F(HugePagesTest, WithoutThemALeaseTellsSmallOnesAndTheDaemonWhy) {
  const Forbidden forbidden;
  if (!forbidden.done()) GTEST_SKIP() << "no PR_SET_THP_DISABLE";
  Start({});
  EXPECT_EQ(client_->MustLease(RawClient::LeaseOf(kHuge)).page_size_bytes(),
            4096u);
  EXPECT_EQ(Counts().method(), v1::HUGE_PAGE_METHOD_NONE);
  EXPECT_THAT(Counts().reason(), HasSubstr("PR_SET_THP_DISABLE"));
  EXPECT_EQ(Counts().small_segments(), 1u);
}

TEST_F(HugePagesTest, RequiredAndNotToBeHadNoDaemonStarts) {
  const Forbidden forbidden;
  if (!forbidden.done()) GTEST_SKIP() << "no PR_SET_THP_DISABLE";
  const std::string name = "/warmpool-test-require-" + std::to_string(getpid());
  ChildProcess daemon({"/bin/sh", "-c",
                       "exec server/warmpoold --huge_pages=require "
                       "--listen=unix:/tmp" +
                           name + " --shm_dir=/dev/shm" + name + " 2>&1"});
  EXPECT_THAT(daemon.ReadAll(), AllOf(HasSubstr("no huge pages: "),
                                      HasSubstr("PR_SET_THP_DISABLE")));
  EXPECT_EQ(daemon.Wait(), 1);
  EXPECT_NE(access(("/dev/shm" + name).c_str(), F_OK), 0);
}

}  // namespace
}  // namespace warmpool::testing
