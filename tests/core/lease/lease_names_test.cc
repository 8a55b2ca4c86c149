#include "core/lease/lease_names.h"

#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

TEST(ValidateBufferNameTest, AllowsLettersDigitsAndItsFourMarks) {
  for (const char* name : {"a", "frames/left-eye.0_RGB", "...", "-", "/a/",
                           "a..b", ".hidden", "a//b"}) {
    EXPECT_THAT(ValidateBufferName(name), IsOk()) << name;
  }
  EXPECT_THAT(ValidateBufferName(std::string(128, 'x')), IsOk());
}

TEST(ValidateBufferNameTest, RefusesNoNameAndLongOnes) {
  EXPECT_THAT(ValidateBufferName(""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(
      ValidateBufferName(std::string(129, 'x')),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("129 bytes")));
}

TEST(ValidateBufferNameTest, NamesTheCharacterItRefusesUnprintableOnesEscaped) {
  EXPECT_THAT(ValidateBufferName("two words"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("' '")));
  const absl::Status refused =
      ValidateBufferName(absl::string_view("a\0\n\x1b[31m", 8));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("\"a\\x00\\n\\x1b[31m\"")));
  EXPECT_THAT(ValidateBufferName("gr\xc3\xbc\xc3\x9f"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ValidateBufferNameTest, RefusesWhatWouldClimbIfItWereAPath) {
  for (const char* name :
       {"..", ".", "../x", "x/..", "x/../y", "./x", "x/.", "/.."}) {
    EXPECT_THAT(
        ValidateBufferName(name),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("path step")))
        << name;
  }
}

}  // namespace
}  // namespace warmpool
