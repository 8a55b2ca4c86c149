#include "core/base/status_macros.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

absl::Status Hand(absl::Status status, bool* went_on) {
  RETURN_IF_ERROR(status);
  *went_on = true;
  return absl::OkStatus();
}

absl::StatusOr<int> Add(absl::StatusOr<int> one, absl::StatusOr<int> two) {
  ASSIGN_OR_RETURN(const int first, one);
  int second = 0;
  ASSIGN_OR_RETURN(second, two);
  return first + second;
}

absl::StatusOr<std::unique_ptr<int>> Pass(
    absl::StatusOr<std::unique_ptr<int>> owned) {
  ASSIGN_OR_RETURN(std::unique_ptr<int> value, std::move(owned));
  return value;
}

TEST(StatusMacrosTest, GoesOnAfterOk) {
  bool went_on = false;
  EXPECT_TRUE(Hand(absl::OkStatus(), &went_on).ok());
  EXPECT_TRUE(went_on);
}

TEST(StatusMacrosTest, ReturnsAnErrorAsItIs) {
  bool went_on = false;
  const absl::Status error = absl::NotFoundError("no lease");
  EXPECT_EQ(Hand(error, &went_on), error);
  EXPECT_FALSE(went_on);
}

TEST(StatusMacrosTest, AssignsToNewAndOldVariables) {
  EXPECT_EQ(Add(1, 2).value(), 3);
}

TEST(StatusMacrosTest, ReturnsTheStatusOfWhatHasNoValue) {
  EXPECT_EQ(Add(absl::AbortedError("one"), 2).status(),
            absl::AbortedError("one"));
  EXPECT_EQ(Add(1, absl::AbortedError("two")).status(),
            absl::AbortedError("two"));
}

TEST(StatusMacrosTest, MovesWhatCanNotBeCopied) {
  EXPECT_EQ(**Pass(std::make_unique<int>(7)), 7);
}

}  // namespace
}  // namespace warmpool
