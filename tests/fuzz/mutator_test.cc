#include "tests/fuzz/mutator.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(MutatorTest, TheSameSeedGivesTheSameInputs) {
  Mutator one(7, {"some", "corpus"});
  Mutator same(7, {"some", "corpus"});
  Mutator other(8, {"some", "corpus"});
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::string input = one.Next();
    EXPECT_EQ(input, same.Next());
    differs = differs || input != other.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(MutatorTest, InputsAreManyAndBounded) {
  Mutator mutator(1, {"", "x", std::string(Mutator::kMaxBytes, 'y')});
  std::set<std::string> inputs;
  for (int i = 0; i < 1000; ++i) {
    const std::string input = mutator.Next();
    EXPECT_LE(input.size(), Mutator::kMaxBytes);
    inputs.insert(input);
  }
  EXPECT_GT(inputs.size(), 200u);
}

}  // namespace
}  // namespace warmpool
