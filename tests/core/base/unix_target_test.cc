#include "core/base/unix_target.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
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
  EXPECT_THAT(SocketPathOf("unix:" + longest + "x"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("108 bytes")));
}

TEST(DefaultsTest, TheDefaultTargetIsAValidOne) {
  EXPECT_THAT(SocketPathOf(DefaultTarget()), IsOk());
}

TEST(DefaultsTest, UidsHaveDirectoriesOfTheirOwn) {
  EXPECT_EQ(DefaultShmDirectory(),
            "/dev/shm/warmpool-" + std::to_string(geteuid()));
}

}  // namespace
}  // namespace warmpool
