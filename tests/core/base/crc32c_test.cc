#include "core/base/crc32c.h"

#include <string>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(Crc32cTest, IsThatOfTheStandard) {
  // RFC 3720, appendix B.4, and the check value that catalogues give.
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32cTest, GoesOnWhereItStopped) {
  for (size_t cut = 0; cut <= 9; ++cut) {
    const std::string bytes = "123456789";
    EXPECT_EQ(ExtendCrc32c(Crc32c(bytes.substr(0, cut)), bytes.substr(cut)),
              Crc32c(bytes));
  }
}

TEST(Crc32cTest, IsTheSameWithoutTheProcessorsHelp) {
  std::string bytes;
  for (int i = 0; i < 64; ++i) bytes.push_back(static_cast<char>(i * 37));
  for (size_t begin = 0; begin < 9; ++begin) {
    for (size_t count = 0; begin + count <= bytes.size(); ++count) {
      const std::string part = bytes.substr(begin, count);
      EXPECT_EQ(ExtendCrc32c(7, part), ExtendCrc32cPortably(7, part));
    }
  }
}

TEST(Crc32cTest, TheSameBytesAfterAnotherBeginningDiffer) {
  EXPECT_NE(ExtendCrc32c(1, "record"), ExtendCrc32c(2, "record"));
}

}  // namespace
}  // namespace warmpool
