// The pool and its journal: whose upkeep keeps nobody waiting.
#include <errno.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "core/journal/journal.h"
#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class PoolJournalTest : public PoolFixture {
 protected:
  // Room for few leases: growth and compaction are frequent.
  static constexpr uint64_t kSmall = 8 * kKiB;

  PoolJournalTest() {
    Journal::Replay replay;
    journal_ = Journal::Open(directory_->private_directory_fd(), kBoot,
                             {kSmall}, &journal_calls_, &replay)
                   .value();
    EXPECT_THAT(journal_->Begin(), IsOk());
    Pool::Options options = InlineOptions();
    options.default_ttl = absl::ZeroDuration();
    options.segments.on_due_earlier = [this] { due_ = true; };
    pool_ = std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &random_,
                                   options, journal_.get());
    pool_->AddHolder({kAlice, 101, getuid(), "alice", false, 11});
    pool_->AddHolder({kBob, 102, getuid(), "bob", false, 12});
    pool_->Tick();
    due_ = false;
  }
  ~PoolJournalTest() override {
    const size_t live = pool_->stats().live_leases;
    pool_.reset();
    // What the next daemon would know.
    journal_.reset();
    Journal::Replay replay;
    EXPECT_THAT(Journal::Open(directory_->private_directory_fd(), kBoot,
                              {kSmall}, &journal_calls_, &replay),
                IsOk());
    EXPECT_EQ(replay.leases.size(), live);
    EXPECT_EQ(replay.damage, "");
  }

  void LeaseSome(int count) {
    for (int i = 0; i < count; ++i) leases_.push_back(LeaseOrDie(kAlice, 4096));
  }
  void ReleaseSome(size_t count) {
    while (count-- > 0 && !leases_.empty()) {
      ASSERT_THAT(Release(kAlice, leases_.back()), IsOk());
      leases_.pop_back();
    }
  }
  void LeaseUntilDue() {
    while (!due_) LeaseSome(1);
  }
  // Somebody else leases and releases. Does not come back if the lock is held.
  void OthersGoOn() {
    std::thread([this] {
      LeaseRequest request;
      request.request_id = others_ids_.Next();
      request.bytes = 4096;
      const LeaseGrant grant = pool_->Lease(kBob, request).value();
      const LeaseRef ref{grant.id, grant.generation};
      EXPECT_THAT(pool_->Release(kBob, {&ref, 1}, false)[0], IsOk());
      others_++;
    }).join();
  }
  size_t Listed() const {
    return pool_->List(kBob, BufferFilter(), 100, "").value().buffers.size();
  }
  uint64_t waits() const { return pool_->stats().journal_waits; }

  static constexpr char kBoot[] = "this boot";
  FaultySystemCalls journal_calls_;
  SeededRandom others_ids_{99};
  std::unique_ptr<Journal> journal_;
  std::vector<LeaseGrant> leases_;
  std::atomic<bool> due_ = false;
  int others_ = 0;
};

TEST_F(PoolJournalTest, OthersGoOnWhileItGrows) {
  LeaseUntilDue();
  const uint64_t bytes = journal_->bytes();
  for (int i = 0; i < 2; ++i) {
    journal_calls_.BeforeNext(Call::kFallocate, [this] { OthersGoOn(); });
  }
  pool_->Tick();
  EXPECT_EQ(others_, 2);
  EXPECT_EQ(journal_->bytes(), 2 * bytes);
  EXPECT_EQ(In(ByteState::kOverhead), journal_->bytes());
  EXPECT_EQ(waits(), 0u);
  pool_->CheckInvariants();
}

TEST_F(PoolJournalTest, OthersGoOnBetweenThePiecesOfASnapshot) {
  LeaseSome(300);
  pool_->Tick();
  const uint64_t bytes = journal_->bytes();
  while (!journal_->UpkeepDue()) {
    LeaseSome(1);
    ReleaseSome(1);
  }
  ASSERT_EQ(journal_->bytes(), bytes);
  // Just before the first piece is written.
  journal_calls_.BeforeNext(Call::kWrite, [&] {
    for (int i = 0; i < 3; ++i) OthersGoOn();
  });
  const uint64_t waited = waits();
  const uint64_t renames = journal_calls_.Count(Call::kRename);
  pool_->Tick();
  EXPECT_EQ(others_, 3);
  EXPECT_EQ(waits(), waited);
  EXPECT_EQ(journal_calls_.Count(Call::kRename), renames + 1);
  pool_->CheckInvariants();
}

// What may happen while a record is being written. The pool's lock is free
// then, or none of these would come back.

TEST_F(PoolJournalTest, ALeaseThatIsBeingWrittenIsNobodysYet) {
  const LeaseRequest request = Request(4096, "frames");
  journal_calls_.BeforeNext(Call::kWrite, [&] {
    EXPECT_EQ(pool_->Lease(kAlice, request).status().code(),
              absl::StatusCode::kAborted);
    EXPECT_EQ(pool_->Attach(kBob, AttachTo("frames")).status().code(),
              absl::StatusCode::kNotFound);
    EXPECT_EQ(pool_->Lease(kBob, Request(1, "frames")).status().code(),
              absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(Listed(), 0u);
  });
  const LeaseGrant grant = Lease(kAlice, request).value();
  EXPECT_EQ(Lease(kAlice, request)->id, grant.id);
  EXPECT_EQ(Listed(), 1u);
}

TEST_F(PoolJournalTest, ALeaseWhoseHolderWentWhileItWasWrittenHasEnded) {
  journal_calls_.BeforeNext(Call::kWrite, [&] { pool_->RemoveHolder(kAlice); });
  EXPECT_THAT(Lease(kAlice, Request(4096, "frames")),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(pool_->stats().live_buffers, 0u);
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  EXPECT_THAT(Lease(kBob, Request(4096, "frames")), IsOk());
}

TEST_F(PoolJournalTest, UntilAReleaseIsWrittenNobodyGetsNameOrSegment) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "frames");
  journal_calls_.BeforeNext(Call::kWrite, [&] {
    EXPECT_EQ(Listed(), 0u);
    EXPECT_EQ(pool_->Lease(kBob, Request(4096, "frames")).status().code(),
              absl::StatusCode::kAlreadyExists);
    LeaseRequest ready = Request(4096);
    ready.if_ready = true;
    EXPECT_EQ(pool_->Lease(kBob, ready).status().code(),
              absl::StatusCode::kNotFound);
  });
  EXPECT_THAT(Release(kAlice, grant), IsOk());
  const LeaseGrant next = LeaseOrDie(kBob, 4096, "frames");
  EXPECT_EQ(next.warmth, Warmth::kWarm);
  EXPECT_EQ(next.path, grant.path);
}

TEST_F(PoolJournalTest, AnAttachThatIsBeingWrittenKeepsTheBuffer) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "frames");
  std::thread release;
  journal_calls_.BeforeNext(Call::kWrite, [&] {
    release = std::thread([&] {
      const LeaseRef ref{grant.id, grant.generation};
      EXPECT_THAT(pool_->Release(kAlice, {&ref, 1}, false)[0], IsOk());
    });
    while (Listed() > 0) std::this_thread::yield();
  });
  const LeaseGrant attached = AttachOrDie(kBob, "frames");
  release.join();
  EXPECT_EQ(attached.path, grant.path);
  EXPECT_EQ(Listed(), 1u);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  EXPECT_THAT(Release(kBob, attached), IsOk());
  EXPECT_GT(In(ByteState::kRetained), 0u);
}

TEST_F(PoolJournalTest, AnAttachWhoseHolderWentGivesTheBufferBack) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "frames");
  std::thread release;
  journal_calls_.BeforeNext(Call::kWrite, [&] {
    release = std::thread([&] {
      const LeaseRef ref{grant.id, grant.generation};
      EXPECT_THAT(pool_->Release(kAlice, {&ref, 1}, false)[0], IsOk());
    });
    while (Listed() > 0) std::this_thread::yield();
    pool_->RemoveHolder(kBob);
  });
  EXPECT_THAT(pool_->Attach(kBob, AttachTo("frames")),
              StatusIs(absl::StatusCode::kUnavailable));
  release.join();
  EXPECT_EQ(pool_->stats().live_buffers, 0u);
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  pool_->CheckInvariants();
}

TEST_F(PoolJournalTest, AnAttachThatCouldNotBeWrittenLeavesTheBufferAsItWas) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096, "frames");
  const AttachRequest request = AttachTo("frames");
  journal_calls_.FailNext(Call::kWrite, EIO);
  EXPECT_FALSE(pool_->Attach(kBob, request).ok());
  pool_->CheckInvariants();
  EXPECT_THAT(pool_->Attach(kBob, request), IsOk()) << "it may be tried again";
  pool_->RemoveHolder(kBob);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  EXPECT_THAT(Release(kAlice, grant), IsOk());
}

TEST_F(PoolJournalTest, OthersGoOnWhileUnusedLeasesAreProven) {
  const LeaseGrant unused = LeaseOrDie(kAlice, 4096);
  const LeaseGrant renewed = LeaseOrDie(kAlice, 8192);
  clock_.Advance(absl::Seconds(1));
  const absl::Time since = clock_.Now();
  clock_.Advance(absl::Seconds(1));
  calls_.BeforeNext(Call::kFcntl, [&] {
    OthersGoOn();
    EXPECT_THAT(pool_->Renew(kAlice, {renewed.id, 0}, std::nullopt), IsOk());
  });
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, since), 1u);
  EXPECT_EQ(others_, 1);
  EXPECT_THAT(Release(kAlice, renewed), IsOk());
  EXPECT_THAT(Release(kAlice, unused),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(PoolJournalTest, AnUnusedLeaseReleasedWhileItIsProvenIsGivenBackOnce) {
  const LeaseGrant grant = LeaseOrDie(kAlice, 4096);
  clock_.Advance(absl::Seconds(1));
  calls_.BeforeNext(Call::kFcntl, [&] {
    const LeaseRef ref{grant.id, grant.generation};
    EXPECT_THAT(pool_->Release(kAlice, {&ref, 1}, false)[0], IsOk());
  });
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, clock_.Now()), 0u);
  EXPECT_EQ(In(ByteState::kLeased), 0u);
  EXPECT_GT(In(ByteState::kRetained), 0u);
  pool_->CheckInvariants();
}

TEST_F(PoolJournalTest, NobodyWaitsWhereTickComesWhenItIsDue) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 40; ++i) {
      LeaseSome(1);
      if (round % 2 == 1) ReleaseSome(2);
      if (!due_) continue;
      due_ = false;
      pool_->Tick();
    }
  }
  EXPECT_EQ(waits(), 0u);
  EXPECT_GT(journal_->bytes(), 2 * kSmall);
}

TEST_F(PoolJournalTest, WhoeverHadToWaitIsCounted) {
  LeaseSome(200);
  EXPECT_GT(waits(), 0u);
  EXPECT_EQ(In(ByteState::kOverhead), journal_->bytes());
  ReleaseSome(100);
}

TEST_F(PoolJournalTest, ATickThatCouldNotMakeRoomComesBackInASecond) {
  LeaseUntilDue();
  const uint64_t bytes = journal_->bytes();
  journal_calls_.FailNext(Call::kFallocate, ENOSPC);
  EXPECT_EQ(pool_->Tick(), clock_.Now() + absl::Seconds(1));
  due_ = false;
  LeaseSome(1);
  EXPECT_FALSE(due_) << "another attempt would come to nothing";
  TickAfter(absl::Milliseconds(999));
  EXPECT_EQ(journal_->bytes(), bytes);
  TickAfter(absl::Milliseconds(1));
  EXPECT_EQ(journal_->bytes(), 2 * bytes);
  EXPECT_EQ(waits(), 0u);
}

TEST_F(PoolJournalTest, OneTickAtATimeSeesToIt) {
  LeaseUntilDue();
  const uint64_t bytes = journal_->bytes();
  journal_calls_.BeforeNext(Call::kFallocate, [this] {
    const uint64_t calls = journal_calls_.Count(Call::kFallocate);
    pool_->Tick();
    EXPECT_EQ(journal_calls_.Count(Call::kFallocate), calls);
  });
  pool_->Tick();
  EXPECT_EQ(journal_->bytes(), 2 * bytes);
}

// Most telling under ThreadSanitizer.
TEST_F(PoolJournalTest, ManyLeaseWhileTicksSeeToIt) {
  std::atomic<bool> stop = false;
  std::thread maintenance([&] {
    while (!stop) pool_->Tick();
  });
  std::vector<std::thread> clients;
  for (const HolderId holder : {kAlice, kBob}) {
    clients.emplace_back([this, holder] {
      SeededRandom ids{holder};
      for (int i = 0; i < 200; ++i) {
        LeaseRequest request;
        request.request_id = ids.Next();
        request.bytes = 4096;
        const LeaseGrant grant = pool_->Lease(holder, request).value();
        if (i % 3 == 0) continue;
        const LeaseRef ref{grant.id, grant.generation};
        EXPECT_THAT(pool_->Release(holder, {&ref, 1}, false)[0], IsOk());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  pool_->RemoveHolder(kBob);
  stop = true;
  maintenance.join();
  EXPECT_EQ(pool_->stats().live_leases, 67u);
  pool_->CheckInvariants();
}

}  // namespace
}  // namespace warmpool
