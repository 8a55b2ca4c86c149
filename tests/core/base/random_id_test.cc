#include "core/base/random_id.h"

#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "gtest/gtest.h"
#include "tests/core/base/seeded_random.h"

namespace warmpool {
namespace {

constexpr RandomId kId{0x0123456789abcdef, 0xfedcba9876543210};
constexpr char kHex[] = "0123456789abcdeffedcba9876543210";

TEST(RandomIdTest, BytesAreBigEndianAndReversible) {
  const std::string bytes = kId.ToBytes();
  ASSERT_EQ(bytes.size(), RandomId::kBytes);
  EXPECT_EQ(bytes[0], '\x01');
  EXPECT_EQ(bytes[15], '\x10');
  EXPECT_EQ(RandomId::FromBytes(bytes), kId);
}

TEST(RandomIdTest, RefusesBytesOfAnyOtherLength) {
  EXPECT_EQ(RandomId::FromBytes(""), std::nullopt);
  EXPECT_EQ(RandomId::FromBytes(std::string(15, 'x')), std::nullopt);
  EXPECT_EQ(RandomId::FromBytes(std::string(17, 'x')), std::nullopt);
}

TEST(RandomIdTest, HexIsReversible) {
  EXPECT_EQ(kId.ToHex(), kHex);
  EXPECT_EQ(RandomId::FromHex(kHex), kId);
  EXPECT_EQ(RandomId{}.ToHex(), std::string(32, '0'));
}

TEST(RandomIdTest, HexHasOneSpelling) {
  // A segment file's name leads to one id: upper case is no second spelling.
  EXPECT_EQ(RandomId::FromHex("0123456789ABCDEFFEDCBA9876543210"),
            std::nullopt);
  EXPECT_EQ(RandomId::FromHex(std::string(31, '0')), std::nullopt);
  EXPECT_EQ(RandomId::FromHex(std::string(33, '0')), std::nullopt);
  EXPECT_EQ(RandomId::FromHex("0123456789abcdeffedcba987654321g"),
            std::nullopt);
}

TEST(RandomIdTest, OrdersByItsHexSpelling) {
  SeededRandom random(7);
  for (int i = 0; i < 100; ++i) {
    const RandomId a = random.Next();
    const RandomId b = random.Next();
    EXPECT_EQ(a < b, a.ToHex() < b.ToHex());
  }
}

TEST(KernelRandomTest, DoesNotRepeat) {
  absl::flat_hash_set<RandomId> ids;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(ids.insert(KernelRandom::Get().Next()).second);
  }
}

TEST(SeededRandomTest, RepeatsForTheSameSeed) {
  SeededRandom one(3), two(3), other(4);
  const RandomId id = one.Next();
  EXPECT_EQ(id, two.Next());
  EXPECT_NE(id, other.Next());
}

}  // namespace
}  // namespace warmpool
