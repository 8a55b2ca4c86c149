// A real daemon in a control group that has less memory than its capacity.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;
// Where the hierarchy of v2 is, if it is the only one.
constexpr char kHierarchy[] = "/sys/fs/cgroup";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return !file.fail();
}

// A group of the test's own, gone with it.
class OwnGroup {
 public:
  explicit OwnGroup(uint64_t max_bytes) {
    const std::string controllers =
        ReadFile(std::string(kHierarchy) + "/cgroup.subtree_control");
    if (controllers.find("memory") == std::string::npos) {
      problem_ =
          std::string("no memory controller of cgroup v2 below ") + kHierarchy;
    } else if (mkdir(path_.c_str(), 0755) < 0) {
      problem_ = "can't make " + path_ + ": " + std::strerror(errno);
    } else if (!WriteFile(path_ + "/memory.max", std::to_string(max_bytes)) ||
               !WriteFile(path_ + "/memory.swap.max", "0")) {
      problem_ = "can't limit the memory of " + path_;
    }
  }
  ~OwnGroup() { rmdir(path_.c_str()); }

  // Empty: it is there.
  const std::string& problem() const { return problem_; }

  // This process enters it, and so do those that it starts; goes back where it
  // was.
  bool Enter() { return WriteFile(path_ + "/cgroup.procs", "0"); }
  bool Leave() { return WriteFile(before_ + "/cgroup.procs", "0"); }

  std::string Events() const { return ReadFile(path_ + "/memory.events"); }

 private:
  static std::string PathBefore() {
    std::string line = ReadFile("/proc/self/cgroup");
    line = line.substr(0, line.find('\n'));
    return kHierarchy + line.substr(line.rfind(':') + 1);
  }

  const std::string before_ = PathBefore();
  const std::string path_ =
      std::string(kHierarchy) + "/warmpool-test." + std::to_string(getpid());
  std::string problem_;
};

TEST(MemoryLimitTest, ADaemonRefusesBeforeTheKernelKills) {
  OwnGroup group(64 * kMiB);
  if (!group.problem().empty()) GTEST_SKIP() << group.problem();
  ASSERT_TRUE(group.Enter());
  auto daemon = std::make_unique<DaemonProcess>(
      std::vector<std::string>{"--capacity_bytes=1GiB", "--default_ttl=0"});
  ASSERT_TRUE(group.Leave());
  RawClient client(daemon->target());
  EXPECT_LE(client.Stats().bytes().capacity_bytes(), 48 * kMiB);

  size_t leased = 0;
  grpc::Status status;
  for (; status.ok() && leased < 64; ++leased) {
    v1::LeaseResponse response;
    status = client.Lease(RawClient::LeaseOf(kMiB), &response);
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("bytes free"));
  EXPECT_GT(leased, 8u);
  EXPECT_THAT(group.Events(), HasSubstr("oom_kill 0"));
  EXPECT_GT(client.Stats().bytes().leased_bytes(), 0u);
  EXPECT_EQ(daemon->Terminate(), 0);
  daemon.reset();
}

}  // namespace
}  // namespace warmpool::testing
