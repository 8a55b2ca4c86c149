// Many who wait for one buffer, or for one holder.
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

class PoolManyWaitsTest : public PoolFixture {
 protected:
  static constexpr size_t kMany = 200;

  // With a thread of the test's own, that is.
  void MakeWithOther() {
    Pool::Options options = InlineOptions();
    options.run_later = [this](uid_t uid, std::function<void()> work) {
      EXPECT_EQ(uid, 1000u);
      later_.push_back(std::move(work));
    };
    Make(options);
  }
  void RunOne() {
    const std::function<void()> work = std::move(later_.front());
    later_.pop_front();
    work();
    pool_->CheckInvariants();
  }

  void WaitForMany(HolderId holder, const std::string& name,
                   absl::Duration patience = absl::Seconds(10)) {
    requests_.reserve(kMany);
    for (size_t i = 0; i < kMany; ++i) {
      AttachRequest request = AttachTo(name);
      request.access = Access::kReadOnly;
      requests_.push_back(std::move(request));
      const AttachRequest& made = requests_.back();
      AttachWait wait{&made, clock_.Now() + patience, [this, holder, &made] {
                        ++woken_;
                        if (pool_->Attach(holder, made).ok()) ++attached_;
                      }};
      ASSERT_FALSE(pool_->AttachOrWait(holder, made, &wait).has_value());
    }
  }

  void LeaseAndSeal(const std::string& name) {
    const LeaseGrant lease = LeaseOrDie(kAlice, 4096, name);
    ASSERT_THAT(pool_->Seal(kAlice, {lease.id, 0}, {}), IsOk());
    pool_->CheckInvariants();
  }

  std::deque<std::function<void()>> later_;
  std::vector<AttachRequest> requests_;
  size_t woken_ = 0;
  size_t attached_ = 0;
};

TEST_F(PoolManyWaitsTest, WhoSealsWakesTheFirstAndAnotherTheRestByAndBy) {
  MakeWithOther();
  WaitForMany(kBob, "frames");
  LeaseAndSeal("frames");
  const size_t first = woken_;
  EXPECT_GT(first, 0u);
  EXPECT_LT(first, kMany / 4);
  EXPECT_EQ(attached_, first);
  ASSERT_EQ(later_.size(), 1u);
  RunOne();
  EXPECT_GT(woken_, first);
  EXPECT_LT(woken_, kMany) << "a few for each call";
  while (!later_.empty()) RunOne();
  EXPECT_EQ(attached_, kMany);
  EXPECT_EQ(pool_->stats().waiting, 0u);
}

TEST_F(PoolManyWaitsTest, AFewNeedNobodyElse) {
  MakeWithOther();
  AttachRequest request = AttachTo("frames");
  request.access = Access::kReadOnly;
  AttachWait wait{&request, clock_.Now() + absl::Seconds(1),
                  [this] { ++woken_; }};
  ASSERT_FALSE(pool_->AttachOrWait(kBob, request, &wait).has_value());
  LeaseAndSeal("frames");
  EXPECT_EQ(woken_, 1u);
  EXPECT_TRUE(later_.empty());
}

TEST_F(PoolManyWaitsTest, WithoutAnotherThreadWhoSealsWakesAll) {
  Make(InlineOptions());
  WaitForMany(kBob, "frames");
  LeaseAndSeal("frames");
  EXPECT_EQ(attached_, kMany);
}

TEST_F(PoolManyWaitsTest, WhatNobodyRunsWaitsUntilItsDeadline) {
  MakeWithOther();
  WaitForMany(kBob, "frames", absl::Seconds(10));
  LeaseAndSeal("frames");
  later_.clear();
  clock_.Advance(absl::Seconds(10));
  // A few for each call; meanwhile there is other work to do.
  size_t ticks = 1;
  while (pool_->Tick() <= clock_.Now()) ++ticks;
  EXPECT_GE(ticks, 2u);
  EXPECT_EQ(attached_, kMany) << "it is there, after all";
}

TEST_F(PoolManyWaitsTest, ADeadHoldersWaitsEndAFewAtATimeToo) {
  Make(InlineOptions());
  WaitForMany(kBob, "frames");
  ASSERT_TRUE(pool_->RemoveSomeOf(kBob));
  pool_->CheckInvariants();
  EXPECT_GT(woken_, 0u);
  EXPECT_LT(woken_, kMany);
  while (pool_->RemoveSomeOf(kBob)) {
  }
  EXPECT_EQ(woken_, kMany);
  EXPECT_EQ(attached_, 0u);
  EXPECT_EQ(pool_->stats().waiting, 0u);
}

TEST_F(PoolManyWaitsTest, AllOfThemEndWithADrain) {
  Make(InlineOptions());
  WaitForMany(kBob, "frames");
  pool_->Drain();
  EXPECT_EQ(woken_, kMany);
  EXPECT_EQ(pool_->stats().waiting, 0u);
}

}  // namespace
}  // namespace warmpool
