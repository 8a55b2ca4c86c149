#include "core/base/little_endian.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

template <typename Integer>
void ExpectComesBack(Integer value) {
  std::string bytes;
  PutLittleEndian(value, &bytes);
  EXPECT_EQ(bytes.size(), sizeof(Integer));
  LittleEndianReader reader(bytes);
  Integer read = 0;
  EXPECT_TRUE(reader.Get(&read));
  EXPECT_EQ(read, value);
  EXPECT_TRUE(reader.left().empty());
}

template <typename Integer>
void ExpectAllComeBack() {
  for (const Integer value :
       {Integer{0}, Integer{1}, std::numeric_limits<Integer>::min(),
        std::numeric_limits<Integer>::max()}) {
    ExpectComesBack<Integer>(value);
    ExpectComesBack<Integer>(static_cast<Integer>(value / 3));
  }
}

TEST(LittleEndianTest, WhatIsPutIsRead) {
  ExpectAllComeBack<uint8_t>();
  ExpectAllComeBack<uint16_t>();
  ExpectAllComeBack<uint32_t>();
  ExpectAllComeBack<uint64_t>();
  ExpectAllComeBack<int32_t>();
  ExpectAllComeBack<int64_t>();
}

TEST(LittleEndianTest, TheLowestByteComesFirst) {
  std::string bytes;
  PutLittleEndian(uint32_t{0x01020304}, &bytes);
  EXPECT_EQ(bytes, "\x04\x03\x02\x01");
}

TEST(LittleEndianTest, WhatIsNotThereIsNotRead) {
  LittleEndianReader reader("abc");
  uint32_t number = 7;
  absl::string_view bytes = "before";
  EXPECT_FALSE(reader.Get(&number));
  EXPECT_FALSE(reader.GetBytes(4, &bytes));
  EXPECT_EQ(number, 7u);
  EXPECT_EQ(bytes, "before");
  EXPECT_EQ(reader.left(), "abc");
  EXPECT_TRUE(reader.GetBytes(3, &bytes));
  EXPECT_EQ(bytes, "abc");
  EXPECT_TRUE(reader.GetBytes(0, &bytes));
}

}  // namespace
}  // namespace warmpool
