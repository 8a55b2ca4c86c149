#include "core/book/last_refusals.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 2000;
constexpr absl::Time kNow = absl::UnixEpoch();

Refusal RefusalOf(uid_t uid, const absl::Status& status, HolderId id = 7) {
  Refusal refusal;
  refusal.status = status;
  refusal.holder.id = id;
  refusal.holder.uid = uid;
  return refusal;
}

TEST(LastRefusalsTest, EachUidHasItsOwn) {
  LastRefusals refusals;
  refusals.Note(RefusalOf(kAlice, absl::ResourceExhaustedError("hers")), kNow);
  refusals.Note(RefusalOf(kBob, absl::ResourceExhaustedError("his")),
                kNow + absl::Seconds(1));
  const absl::Time later = kNow + absl::Seconds(3);
  EXPECT_EQ(refusals.Of(kAlice, later)->status.message(), "hers");
  EXPECT_EQ(refusals.Of(kAlice, later)->age, absl::Seconds(3));
  EXPECT_EQ(refusals.Of(kBob, later)->status.message(), "his");
  EXPECT_FALSE(refusals.Of(0, later).has_value());
  refusals.Note(RefusalOf(kAlice, absl::InternalError("again")), later);
  EXPECT_EQ(refusals.Of(kAlice, later)->status.message(), "again");
  const std::vector<Refusal> newest = refusals.Newest(8, later);
  ASSERT_EQ(newest.size(), 2u);
  EXPECT_EQ(newest[0].status.message(), "again");
  EXPECT_EQ(newest[1].status.message(), "his");
  EXPECT_EQ(refusals.Newest(1, later).size(), 1u);
}

TEST(LastRefusalsTest, AnOrdinaryAnswerDoesNotReplaceWhatMattered) {
  LastRefusals refusals;
  refusals.Note(RefusalOf(kAlice, absl::ResourceExhaustedError("full")), kNow);
  for (const absl::Status& ordinary :
       {absl::NotFoundError("none"), absl::DeadlineExceededError("not sealed"),
        absl::AlreadyExistsError("taken"), absl::UnavailableError("draining"),
        absl::FailedPreconditionError("sealed")}) {
    refusals.Note(RefusalOf(kAlice, ordinary), kNow);
    EXPECT_EQ(refusals.Of(kAlice, kNow)->status.message(), "full");
  }
}

TEST(LastRefusalsTest, AProcessThatIsNotKnownIsNoUids) {
  LastRefusals refusals;
  for (int i = 0; i < 2; ++i) {
    refusals.Note(RefusalOf(0, absl::ResourceExhaustedError("full"), /*id=*/0),
                  kNow);
  }
  EXPECT_FALSE(refusals.Of(0, kNow).has_value());
  EXPECT_EQ(refusals.Newest(8, kNow).size(), 1u);
}

TEST(LastRefusalsTest, TheOldestAreForgotten) {
  LastRefusals refusals;
  for (uid_t uid = 0; uid <= LastRefusals::kMostUids; ++uid) {
    refusals.Note(
        RefusalOf(uid, absl::ResourceExhaustedError(absl::StrCat(uid))), kNow);
  }
  EXPECT_FALSE(refusals.Of(0, kNow).has_value());
  EXPECT_TRUE(refusals.Of(1, kNow).has_value());
  EXPECT_EQ(refusals.Newest(1000, kNow).size(), LastRefusals::kMostUids);
}

}  // namespace
}  // namespace warmpool
