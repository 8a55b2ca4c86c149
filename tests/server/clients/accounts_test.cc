#include "server/clients/accounts.h"

#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(AccountsTest, ReadsNumbersWhetherAnAccountHasThemOrNot) {
  EXPECT_THAT(*ParseUsers("0,54321"), UnorderedElementsAre(0, 54321));
  EXPECT_THAT(*ParseGroups(" 7 , 54321 "), UnorderedElementsAre(7, 54321));
}

TEST(AccountsTest, ReadsNames) {
  EXPECT_THAT(*ParseUsers("root"), UnorderedElementsAre(0));
  EXPECT_THAT(*ParseGroups("root,5"), UnorderedElementsAre(0, 5));
}

TEST(AccountsTest, AnEmptyListHasNobody) {
  EXPECT_THAT(*ParseUsers(""), IsEmpty());
  EXPECT_THAT(*ParseGroups("  "), IsEmpty());
}

TEST(AccountsTest, RefusesWhoDoesNotExistByName) {
  EXPECT_THAT(ParseUsers("root,no-such-user"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("\"no-such-user\" is no user")));
  EXPECT_THAT(ParseGroups("no-such-group"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("\"no-such-group\" is no group")));
}

TEST(AccountsTest, RefusesWhatIsNoId) {
  for (const char* const text : {"-1", "4294967295", "4294967296", "0,", ","}) {
    EXPECT_THAT(ParseUsers(text), StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

}  // namespace
}  // namespace warmpool
