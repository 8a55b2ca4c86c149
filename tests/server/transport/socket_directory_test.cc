// Which directories the daemon makes for its socket, and how.
#include "server/transport/socket_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

mode_t ModeOf(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) < 0 ? 0 : file.st_mode & 07777;
}

class SocketDirectoryTest : public ::testing::Test {
 protected:
  ~SocketDirectoryTest() override { fs::remove_all(directory_); }

  const std::string directory_ =
      absl::StrCat("/tmp/warmpool-socket-test-", getpid());
  const std::string socket_path_ = directory_ + "/warmpool.sock";
};

TEST_F(SocketDirectoryTest, OneForSocketsIsMadeWhateverTheUmask) {
  const mode_t before = umask(0077);
  const absl::Cleanup restore = [before] { umask(before); };
  EXPECT_THAT(PrepareSocketDirectory(socket_path_, 0600), IsOk());
  EXPECT_EQ(ModeOf(directory_), 0700u);
  EXPECT_THAT(PrepareSocketDirectory(socket_path_, 0600), IsOk());
  fs::remove(directory_);
  EXPECT_THAT(PrepareSocketDirectory(socket_path_, 0666), IsOk());
  EXPECT_EQ(ModeOf(directory_), 0755u) << "others may connect";
}

TEST_F(SocketDirectoryTest, OneThatIsThereKeepsItsMode) {
  ASSERT_TRUE(fs::create_directory(directory_));
  fs::permissions(directory_, fs::perms(0710));
  EXPECT_THAT(PrepareSocketDirectory(socket_path_, 0666), IsOk());
  EXPECT_EQ(ModeOf(directory_), 0710u);
}

TEST_F(SocketDirectoryTest, AMisspeltPathIsNotMade) {
  EXPECT_THAT(PrepareSocketDirectory("/nonexistent/x.sock", 0600),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("/nonexistent does not exist"),
                             HasSubstr("mkdir -p -m 0700 /nonexistent"),
                             HasSubstr("--listen"))));
  EXPECT_THAT(PrepareSocketDirectory("/tmp/../nonexistent/x.sock", 0600),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(fs::exists("/nonexistent"));
  const ScratchDirectory scratch;
  const std::string elsewhere = scratch.Join("missing");
  EXPECT_THAT(PrepareSocketDirectory(elsewhere + "/x.sock", 0666),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("mkdir -p -m 0755 " + elsewhere)));
  EXPECT_FALSE(fs::exists(elsewhere));
}

TEST_F(SocketDirectoryTest, OneDirectoryIsMadeAndNoWayToIt) {
  EXPECT_THAT(PrepareSocketDirectory(directory_ + "/deep/x.sock", 0600),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(directory_ + " does not exist"),
                             HasSubstr(directory_ + "/deep"))));
  EXPECT_FALSE(fs::exists(directory_));
}

TEST_F(SocketDirectoryTest, AUsersRuntimeDirectoryIsForSockets) {
  const ScratchDirectory scratch;
  setenv("XDG_RUNTIME_DIR", scratch.path().c_str(), 1);
  const absl::Cleanup restore = [] { unsetenv("XDG_RUNTIME_DIR"); };
  EXPECT_THAT(PrepareSocketDirectory(scratch.path() + "/warmpool.sock", 0600),
              IsOk());
  EXPECT_THAT(PrepareSocketDirectory(scratch.Join("own/warmpool.sock"), 0600),
              IsOk());
  EXPECT_EQ(ModeOf(scratch.Join("own")), 0700u);
}

}  // namespace
}  // namespace warmpool
