#include "core/base/unix_target.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

TEST(SocketPathOfTest, ReadsBothSpellingsOfAUnixTarget) {
  EXPECT_EQ(SocketPathOf("unix:/run/w.sock").value(), "/run/w.sock");
  EXPECT_EQ(SocketPathOf("unix:///run/w.sock").value(), "/run/w.sock");
  EXPECT_EQ(SocketPathOf("unix:w.sock").value(), "w.sock");
}

TEST(SocketPathOfTest, NamesTheTargetItRefuses) {
  for (const char* target :
       {"localhost:5000", "/run/w.sock", "unix://run/w.sock", "unix:", ""}) {
    EXPECT_THAT(SocketPathOf(target),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr('"' + std::string(target) + '"')));
  }
}

TEST(SocketPathOfTest, TakesAsManyBytesAsASocketAddressHolds) {
  const std::string longest = "/" + std::string(106, 'x');
  EXPECT_EQ(SocketPathOf("unix:" + longest).value(), longest);
  EXPECT_THAT(
      SocketPathOf("unix:" + longest + "x"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("108 bytes")));
}

TEST(DefaultsTest, TheDefaultTargetIsAValidOne) {
  EXPECT_THAT(SocketPathOf(DefaultTarget()), IsOk());
}

// As a uid of its own, whose directory in /tmp no other test has.
TEST(DefaultsTest, ASocketInTmpIsInADirectoryThatNobodyElseCanWriteTo) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const uid_t uid = 2'000'000'000 + static_cast<uid_t>(getpid());
  const std::string directory = absl::StrCat("/tmp/warmpool-", uid);
  ASSERT_EQ(seteuid(uid), 0);
  const absl::Cleanup restore = [&] {
    EXPECT_EQ(seteuid(0), 0);
    rmdir(directory.c_str());
  };
  unsetenv("XDG_RUNTIME_DIR");
  const std::string socket_path = SocketPathOf(DefaultTarget()).value();
  EXPECT_EQ(socket_path, directory + "/warmpool.sock");
  EXPECT_THAT(CheckSocketDirectory(socket_path),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(CheckSocketDirectory("/tmp/another.sock"), IsOk());
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  EXPECT_THAT(CheckSocketDirectory(socket_path), IsOk());
  ASSERT_EQ(chmod(directory.c_str(), 0722), 0);
  EXPECT_THAT(
      CheckSocketDirectory(socket_path),
      StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("mode 0722")));
  ASSERT_EQ(chmod(directory.c_str(), 0700), 0);
  ASSERT_EQ(seteuid(0), 0);
  ASSERT_EQ(chown(directory.c_str(), uid + 1, 0), 0);
  ASSERT_EQ(seteuid(uid), 0);
  EXPECT_THAT(CheckSocketDirectory(socket_path),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr(absl::StrCat("(uid ", uid + 1))));
}

TEST(DefaultsTest, UidsHaveDirectoriesOfTheirOwn) {
  EXPECT_EQ(DefaultShmDirectory(),
            "/dev/shm/warmpool-" + std::to_string(geteuid()));
}

}  // namespace
}  // namespace warmpool
