// Who waits for which buffer.
#include "core/book/attach_waits.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock-more-matchers.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AttachWaitsTest : public testing::Test {
 protected:
  static Holder HolderOf(HolderId id, uid_t uid) {
    Holder holder;
    holder.id = id;
    holder.uid = uid;
    return holder;
  }

  // `number` is what the wait is known by, and tells when it is woken.
  absl::Status Add(int number, const std::string& name, bool sealed = true,
                   HolderId holder = 1, absl::Duration until = {}) {
    return waits_.Add({name, 1000, sealed}, HolderOf(holder, 1000),
                      {IdOf(number), absl::UnixEpoch() + until,
                       [this, number] { woken_.push_back(number); }});
  }
  static WaitId IdOf(int number) { return reinterpret_cast<WaitId>(number); }

  std::vector<int> Woken(const AttachWaits::Wakes& wakes) {
    waits_.CheckInvariants();
    woken_.clear();
    for (const auto& wake : wakes) wake();
    return woken_;
  }

  std::vector<int> TakeFor(const AttachWaits::Target& target) {
    return Woken(waits_.TakeFrom(waits_.CrowdFor(target), kMost));
  }

  static constexpr size_t kMost = 10;
  AttachWaits waits_;
  std::vector<int> woken_;
};

TEST_F(AttachWaitsTest, ABufferWakesThoseWhoWaitForItAsItIs) {
  ASSERT_THAT(Add(1, "a"), IsOk());
  ASSERT_THAT(Add(2, "a"), IsOk());
  ASSERT_THAT(Add(3, "a", /*sealed=*/false), IsOk());
  ASSERT_THAT(Add(4, "ab"), IsOk());
  EXPECT_THAT(TakeFor({"a", 2000, true}), IsEmpty());
  EXPECT_THAT(TakeFor({"a", 1000, true}), ElementsAre(1, 2));
  EXPECT_THAT(TakeFor({"a", 1000, true}), IsEmpty());
  EXPECT_THAT(TakeFor({"a", 1000, false}), ElementsAre(3));
  EXPECT_EQ(waits_.size(), 1u);
}

TEST_F(AttachWaitsTest, EachIsWokenAtItsDeadline) {
  ASSERT_THAT(Add(1, "a", true, 1, absl::Seconds(2)), IsOk());
  ASSERT_THAT(Add(2, "b", true, 1, absl::Seconds(1)), IsOk());
  EXPECT_EQ(waits_.NextDue(), absl::UnixEpoch() + absl::Seconds(1));
  EXPECT_THAT(Woken(waits_.TakeDue(absl::UnixEpoch(), kMost)), IsEmpty());
  EXPECT_THAT(
      Woken(waits_.TakeDue(absl::UnixEpoch() + absl::Seconds(1), kMost)),
      ElementsAre(2));
  EXPECT_THAT(Woken(waits_.TakeDue(absl::InfiniteFuture(), kMost)),
              ElementsAre(1));
  EXPECT_EQ(waits_.NextDue(), absl::InfiniteFuture());
}

TEST_F(AttachWaitsTest, AHoldersWaitsEndTogether) {
  ASSERT_THAT(Add(1, "a", true, 7), IsOk());
  ASSERT_THAT(Add(2, "b", true, 8), IsOk());
  EXPECT_THAT(Woken(waits_.TakeOf(7, kMost)), ElementsAre(1));
  EXPECT_THAT(Woken(waits_.Take(SIZE_MAX)), ElementsAre(2));
}

TEST_F(AttachWaitsTest, OneThatIsCancelledIsNotWoken) {
  ASSERT_THAT(Add(1, "a"), IsOk());
  EXPECT_TRUE(waits_.Cancel(IdOf(1)));
  EXPECT_FALSE(waits_.Cancel(IdOf(1)));
  EXPECT_THAT(Woken(waits_.Take(SIZE_MAX)), IsEmpty());
}

TEST_F(AttachWaitsTest, ManyAreTakenAFewAtATimeTheFirstToComeFirst) {
  for (int i = 100; i > 0; --i) ASSERT_THAT(Add(i, "a", true, 7), IsOk());
  const AttachWaits::Crowd crowd = waits_.CrowdFor({"a", 1000, true});
  EXPECT_THAT(Woken(waits_.TakeFrom(crowd, 3)), ElementsAre(100, 99, 98));
  EXPECT_THAT(Woken(waits_.TakeFrom(crowd, 2)), ElementsAre(97, 96));
  EXPECT_EQ(waits_.TakeOf(7, 4).size(), 4u);
  EXPECT_EQ(waits_.TakeDue(absl::InfiniteFuture(), 5).size(), 5u);
  EXPECT_EQ(waits_.Take(6).size(), 6u);
  waits_.CheckInvariants();
  EXPECT_EQ(waits_.size(), 80u);
}

// Its buffer may have gone again before it came to attach.
TEST_F(AttachWaitsTest, WhoIsWokenAndWaitsAgainIsNotWokenAgainForTheSame) {
  ASSERT_THAT(Add(1, "a"), IsOk());
  const AttachWaits::Crowd crowd = waits_.CrowdFor({"a", 1000, true});
  ASSERT_THAT(Woken(waits_.TakeFrom(crowd, kMost)), ElementsAre(1));
  ASSERT_THAT(Add(1, "a"), IsOk());
  EXPECT_THAT(Woken(waits_.TakeFrom(crowd, kMost)), IsEmpty());
  EXPECT_THAT(TakeFor({"a", 1000, true}), ElementsAre(1));
}

TEST_F(AttachWaitsTest, AUidWaitsForSoManyAndNoMore) {
  for (size_t i = 0; i < AttachWaits::kMaxPerUid; ++i) {
    ASSERT_THAT(Add(static_cast<int>(i) + 1, "a"), IsOk());
  }
  EXPECT_THAT(Add(1'000'000, "a"),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(waits_.Cancel(IdOf(1)));
  EXPECT_THAT(Add(1'000'000, "a"), IsOk());
  EXPECT_EQ(waits_.Take(SIZE_MAX).size(), AttachWaits::kMaxPerUid);
  waits_.CheckInvariants();
}

}  // namespace
}  // namespace warmpool
