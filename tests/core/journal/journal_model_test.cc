// Random grants, renewals, replacements, ends, steps of upkeep, failing calls
// and restarts of a journal, beside the plainest model of what it promises.
#include <errno.h>
#include <stdlib.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/journal/journal.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

constexpr uint64_t kSeeds = 20;
constexpr int kSteps = 600;

class JournalModelTest : public JournalFixture {
 protected:
  uint64_t Random(uint64_t bound) { return random_() % bound; }

  void Start(uint64_t seed) {
    random_.seed(seed);
    leases_.clear();
    generation_ = 0;
    epoch_ = 0;
    directory_.SetContents("journal", "");
    directory_.SetContents("journal.spare", "");
    Restart();
  }

  void Step() {
    // Waves of more and of fewer leases, so that it grows and has room again.
    const bool more = ++steps_ / 100 % 2 == 0;
    const bool fails = Random(20) == 0;
    if (fails) InjectFault();
    const uint64_t what = Random(100);
    // Between the parts of a step anything may happen. Some of the time there
    // is no upkeep.
    if (steps_ / 37 % 3 != 0 && Random(2) == 0) {
      Keep();
    } else if (what < 2) {
      calls_.StopFailing();
      Restart();
    } else if (what < 15) {
      Renew();
    } else if (what < 20) {
      Replace();
    } else if (what < (more ? 75u : 45u)) {
      Grant();
    } else {
      End();
    }
    calls_.StopFailing();
  }

  void Check() {
    journal_->CheckInvariants();
    // What a failing call left undone is done with the next append.
    if (behind_) return;
    EXPECT_EQ(OnFile(), leases_);
  }

  // Compactions and growths that came to their end, of all runs.
  uint64_t compactions_ = 0;
  uint64_t growths_ = 0;
  uint64_t waits_ = 0;

 private:
  void InjectFault() {
    using Call = SystemCalls::Call;
    const Call calls[] = {Call::kWrite, Call::kRename, Call::kFallocate};
    const int errors[] = {EIO, EINTR, ENOSPC};
    calls_.FailNth(calls[Random(3)], 1 + Random(2), errors[Random(3)]);
  }

  // One part of a step of upkeep.
  void Keep() {
    if (!step_.has_value()) {
      step_ = journal_->PlanStep();
      taken_ = false;
    } else if (!taken_) {
      journal_->TakeStep(&*step_);
      taken_ = true;
    } else {
      const absl::Status committed = journal_->CommitStep(*step_);
      if (step_->grow_to > 0 && committed.ok()) ++growths_;
      if (step_->grow_to == 0 && !journal_->UpkeepDue()) ++compactions_;
      if (!committed.ok() && !absl::IsAborted(committed)) {
        EXPECT_GT(calls_.faults(), 0u) << committed;
      }
      step_.reset();
    }
  }

  void Restart() {
    // Of what was not recorded the next daemon knows nothing.
    if (behind_) {
      ASSERT_THAT(journal_->AppendEnd(LeaseId{1, 1}), IsOk());
      behind_ = false;
    }
    step_.reset();
    if (journal_ != nullptr) waits_ += journal_->waits();
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(replay_.leases, leases_);
    EXPECT_EQ(replay_.last_generation, generation_);
    EXPECT_EQ(replay_.epoch, ++epoch_);
    EXPECT_EQ(replay_.damage, "");
  }

  void Note(const absl::Status& status) {
    behind_ = !status.ok();
    if (behind_) {
      EXPECT_GT(calls_.faults(), 0u) << status;
    }
  }

  void Grant() {
    LeaseRecord record = MakeLeaseRecord(random_());
    record.generation = generation_ + 1 + Random(3);
    const absl::Status status = journal_->AppendGrant(record);
    if (status.ok()) {
      leases_.push_back(record);
      generation_ = record.generation;
    }
    Note(status);
  }

  void Renew() {
    if (leases_.empty()) return;
    LeaseRecord& lease = leases_[Random(leases_.size())];
    lease.ttl = absl::Milliseconds(Random(100'000));
    Note(journal_->AppendRenewal(lease.id, lease.ttl));
  }

  void Replace() {
    if (leases_.empty()) return;
    const auto lease = leases_.begin() + Random(leases_.size());
    const LeaseId replaced = lease->id;
    LeaseRecord record = MakeLeaseRecord(random_());
    // Sealed, it keeps its id; handed over, it has another.
    if (Random(2) == 0) record.id = replaced;
    record.generation = generation_ + Random(2);
    const absl::Status status = journal_->AppendReplacement(replaced, record);
    if (status.ok()) {
      leases_.erase(lease);
      leases_.push_back(record);
      generation_ = record.generation;
    }
    Note(status);
  }

  void End() {
    if (leases_.empty()) return;
    const auto lease = leases_.begin() + Random(leases_.size());
    const LeaseId id = lease->id;
    leases_.erase(lease);
    Note(journal_->AppendEnd(id));
  }

  std::mt19937_64 random_;
  int steps_ = 0;
  std::optional<Journal::Step> step_;
  bool taken_ = false;
  // The model.
  std::vector<LeaseRecord> leases_;
  uint64_t generation_ = 0;
  uint64_t epoch_ = 0;
  // The last call failed.
  bool behind_ = false;
};

TEST_F(JournalModelTest, AJournalAndItsModelAgreeAfterEveryStep) {
  uint64_t first = 1;
  uint64_t last = kSeeds;
  if (const char* const seed = getenv("WARMPOOL_MODEL_SEED")) {
    first = last = strtoull(seed, nullptr, 10);
  }
  for (uint64_t seed = first; seed <= last; ++seed) {
    Start(seed);
    for (int step = 0; step < kSteps; ++step) {
      Step();
      Check();
      ASSERT_FALSE(HasFailure())
          << "step " << step << "; repeat with: bazel test "
          << "//tests/core/journal:journal_model_test "
          << "--test_env=WARMPOOL_MODEL_SEED=" << seed;
    }
  }
  EXPECT_GT(compactions_, 0u);
  EXPECT_GT(growths_, 0u);
  EXPECT_GT(waits_, 0u);
}

}  // namespace
}  // namespace warmpool
