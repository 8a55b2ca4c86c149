#include "server/clients/descriptor_numbers.h"

#include <errno.h>
#include <fcntl.h>

#include <vector>

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

// Above whatever the test was started with.
constexpr int kFirst = 400;

class DescriptorNumbersTest : public ::testing::Test {
 protected:
  // The number that a descriptor got; it is closed again.
  int Given(DescriptorNumbers::Range range) {
    return numbers_.Renumber(file_, range).get();
  }

  FakeClock clock_;
  DescriptorNumbers numbers_{&clock_};
  const UniqueFd file_{open("/dev/null", O_RDONLY | O_CLOEXEC)};
};

TEST_F(DescriptorNumbersTest, GoesOnInTurnThoughEarlierNumbersAreFree) {
  const DescriptorNumbers::Range range{kFirst, kFirst + 100};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Given(range), kFirst + i);
}

TEST_F(DescriptorNumbersTest, PassesOverNumbersInUse) {
  const DescriptorNumbers::Range range{kFirst, kFirst + 4};
  const UniqueFd used(fcntl(file_.get(), F_DUPFD_CLOEXEC, kFirst + 1));
  ASSERT_EQ(used.get(), kFirst + 1);
  EXPECT_EQ(Given(range), kFirst);
  EXPECT_EQ(Given(range), kFirst + 2);
}

TEST_F(DescriptorNumbersTest, ANumberRestsAfterItIsFreeWhileOthersAreToBeHad) {
  const DescriptorNumbers::Range range{kFirst, kFirst + 4};
  std::vector<UniqueFd> open;
  for (int i = 0; i < 3; ++i) open.push_back(numbers_.Renumber(file_, range));
  open[0].Reset();
  // This sees the first one free. The last number was never used.
  EXPECT_EQ(Given(range), kFirst + 3);
  clock_.Advance(DescriptorNumbers::kRest);
  open[1].Reset();
  // The first has rested, the second and the last have just been seen free.
  EXPECT_EQ(Given(range), kFirst);
}

TEST_F(DescriptorNumbersTest, TheRestBeginsWhenItIsSeenFreeNotWhenItWasGiven) {
  const DescriptorNumbers::Range range{kFirst, kFirst + 2};
  UniqueFd first = numbers_.Renumber(file_, range);
  clock_.Advance(10 * DescriptorNumbers::kRest);
  first.Reset();
  const UniqueFd second = numbers_.Renumber(file_, range);
  EXPECT_EQ(second.get(), kFirst + 1);
  EXPECT_EQ(numbers_.size(), 2u);
}

TEST_F(DescriptorNumbersTest, OfFewNumbersTheNextInTurnIsUsedUnrested) {
  const DescriptorNumbers::Range range{kFirst, kFirst + 3};
  for (int i = 0; i < 30; ++i) EXPECT_EQ(Given(range), kFirst + i % 3);
}

TEST_F(DescriptorNumbersTest, WithoutAFreeNumberThereIsNone) {
  const DescriptorNumbers::Range range{kFirst, kFirst + 1};
  const UniqueFd only = numbers_.Renumber(file_, range);
  EXPECT_FALSE(numbers_.Renumber(file_, range).valid());
  EXPECT_EQ(errno, EMFILE);
}

TEST_F(DescriptorNumbersTest, ForgetsNumbersThatHaveRested) {
  const DescriptorNumbers::Range range{kFirst, kFirst + 100};
  for (int i = 0; i < 100; ++i) Given(range);
  clock_.Advance(DescriptorNumbers::kRest);
  for (int i = 0; i < 100; ++i) {
    Given(range);
    clock_.Advance(DescriptorNumbers::kRest);
  }
  EXPECT_LE(numbers_.size(), 10u);
}

}  // namespace
}  // namespace warmpool
