#include "core/base/byte_size.h"

#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

uint64_t Parsed(absl::string_view text) {
  const absl::StatusOr<ByteSize> size = ParseByteSize(text);
  EXPECT_THAT(size, IsOk()) << std::string(text);
  return size.ok() ? size->bytes : 0;
}

TEST(ParseByteSizeTest, ReadsEveryUnitInAnyCase) {
  EXPECT_EQ(Parsed("4096"), 4096u);
  EXPECT_EQ(Parsed("17B"), 17u);
  for (const char* text : {"64K", "64k", "64KB", "64kb", "64KiB", "64kib"}) {
    EXPECT_EQ(Parsed(text), 64 * kKiB);
  }
  EXPECT_EQ(Parsed("2MiB"), 2 * kMiB);
  EXPECT_EQ(Parsed("4G"), 4 * kGiB);
  EXPECT_EQ(Parsed("3tb"), 3 * kGiB * 1024);
}

TEST(ParseByteSizeTest, AllowsSpaceAroundNumberAndUnit) {
  EXPECT_EQ(Parsed("  2 MiB "), 2 * kMiB);
}

TEST(ParseByteSizeTest, ReadsFractionsThatAreWholeBytes) {
  EXPECT_EQ(Parsed("1.5G"), kGiB + kGiB / 2);
  EXPECT_EQ(Parsed("0.25KiB"), 256u);
  EXPECT_THAT(ParseByteSize("0.3KiB"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("not a whole number of bytes")));
}

TEST(ParseByteSizeTest, ZeroIsASize) { EXPECT_EQ(Parsed("0"), 0u); }

TEST(ParseByteSizeTest, ReadsUpToTheLargestNumberAndNotBeyond) {
  EXPECT_EQ(Parsed("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(Parsed("16777215T"), uint64_t{16777215} << 40);
  for (const char* text :
       {"18446744073709551616", "16777216T", "16777216.0T",
        "99999999999999999999999999999999999999999999999999G"}) {
    EXPECT_THAT(ParseByteSize(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("too large"), HasSubstr(text))));
  }
}

TEST(ParseByteSizeTest, NamesWhatItCannotRead) {
  for (const char* text : {"", " ", "G", "abc", "12Q", "1e6", "1 2", "4KiBs",
                           "4Bi", "1.2.3", ".", "0x10", "+5"}) {
    EXPECT_THAT(ParseByteSize(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr('"' + std::string(text) + '"')))
        << text;
  }
  EXPECT_THAT(ParseByteSize("-5"), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("negative")));
}

TEST(FormatByteSizeTest, UsesTheLargestUnitThatFits) {
  EXPECT_EQ(FormatByteSize(0), "0 B");
  EXPECT_EQ(FormatByteSize(17), "17 B");
  EXPECT_EQ(FormatByteSize(1023), "1023 B");
  EXPECT_EQ(FormatByteSize(1024), "1 KiB");
  EXPECT_EQ(FormatByteSize(2 * kMiB), "2 MiB");
  EXPECT_EQ(FormatByteSize(kGiB + kGiB / 2), "1.50 GiB");
  EXPECT_EQ(FormatByteSize(UINT64_MAX), "16777216.00 TiB");
}

TEST(ByteSizeFlagTest, WritesWhatItReads) {
  for (const uint64_t bytes :
       {uint64_t{0}, uint64_t{1}, uint64_t{4097}, 64 * kKiB, 3 * kMiB, 5 * kGiB,
        kGiB * 1024, UINT64_MAX}) {
    const std::string text = AbslUnparseFlag(ByteSize{bytes});
    ByteSize read;
    std::string error;
    EXPECT_TRUE(AbslParseFlag(text, &read, &error)) << text << ": " << error;
    EXPECT_EQ(read.bytes, bytes) << text;
  }
  EXPECT_EQ(AbslUnparseFlag(ByteSize{64 * kKiB}), "64KiB");
}

TEST(ByteSizeFlagTest, LeavesTheFlagAloneOnError) {
  ByteSize size{42};
  std::string error;
  EXPECT_FALSE(AbslParseFlag("many", &size, &error));
  EXPECT_EQ(size.bytes, 42u);
  EXPECT_THAT(error, HasSubstr("\"many\" is not a size"));
}

}  // namespace
}  // namespace warmpool
