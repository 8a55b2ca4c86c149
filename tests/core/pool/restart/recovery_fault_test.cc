// Recovery that dies at any of its system calls, dies again, or meets a
// failure: a later one finds every lease that was acknowledged, and nothing is
// leaked.
#include <errno.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "core/memory/directory/segment_name.h"
#include "core/memory/kernel/system_calls.h"
#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/seeded_random.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"
#include "tests/core/pool/restart/daemon_life.h"
#include "tests/core/pool/restart/dying_calls.h"

namespace warmpool {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Call = SystemCalls::Call;

constexpr HolderId kAlice = DaemonLife::kAlice;
constexpr HolderId kBob = DaemonLife::kBob;

// Mode and contents of each file, by its name.
using Tree = std::map<std::string, std::pair<mode_t, std::string>>;

std::string ContentsOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

class RecoveryFaultTest : public ::testing::TestWithParam<bool> {
 protected:
  // Whether the journal is damaged behind what is to be kept.
  bool damaged() const { return GetParam(); }

  // A daemon that was killed: what it acknowledged is in `acknowledged_`.
  void MakeHistory() {
    fs::remove_all(path_);
    acknowledged_.clear();
    kept_damaged_ = damaged();
    DyingCalls calls(UINT64_MAX, SIZE_MAX);
    DaemonLife daemon(path_, &calls, &random_, &clock_);
    ASSERT_THAT(daemon.Start({}), IsOk());
    Pool& pool = daemon.pool();
    const LeaseGrant held = Lease(pool, kAlice, "held");
    held_ = {held.id, held.generation};
    Acknowledge(held);
    ASSERT_THAT(pool.Attach(kBob, AttachTo("held", Access::kSharedWritable)),
                IsOk());
    Lease(pool, kBob, "dead");
    const LeaseGrant given = Lease(pool, kAlice, "given");
    ASSERT_THAT(pool.MakeTicket(kAlice, {given.id, 0}, ticket_, std::nullopt),
                IsOk());
    Acknowledge(given);
    // Once who sealed them is gone, one stays for a while, one has a reader.
    Acknowledge(Sealed(pool, "lingers", absl::Hours(1)));
    Acknowledge(Sealed(pool, "read", absl::ZeroDuration()));
    ASSERT_THAT(pool.Attach(kAlice, AttachTo("read", Access::kReadOnly)),
                IsOk());
    const LeaseGrant kept = Sealed(pool, "kept", absl::Hours(1));
    ASSERT_THAT(pool.Release(kBob, {{kept.id, 0}}, false), ElementsAre(IsOk()));
    Acknowledge(kept);
    // A channel that loses a member.
    LeaseRequest member = RequestOf(4096);
    member.channel = "channel";
    const LeaseGrant shared = pool.Lease(kBob, member).value();
    ASSERT_THAT(pool.Attach(kAlice, AttachTo(shared.buffer_name,
                                             Access::kSharedWritable)),
                IsOk());
    // A segment without a lease, and one that strayed in.
    const LeaseGrant released = Lease(pool, kAlice, "released");
    ASSERT_THAT(pool.Release(kAlice, {{released.id, 0}}, false),
                ElementsAre(IsOk()));
    std::ofstream(path_ + "/notes.txt") << "mine";
    Lease(pool, kBob, "last");
    calls.Die();
    // It was killed while the ticket was being claimed.
    std::string& file = acknowledged_.at("given");
    fs::rename(path_ + "/" + file, path_ + "/" + NextSegmentName(file));
    file = NextSegmentName(file);
    if (damaged()) FlipLastRecord();
  }

  LeaseRequest RequestOf(uint64_t bytes) {
    LeaseRequest request;
    request.request_id = random_.Next();
    request.bytes = bytes;
    return request;
  }
  AttachRequest AttachTo(const std::string& name, Access access) {
    AttachRequest request;
    request.request_id = random_.Next();
    request.name = name;
    request.access = access;
    return request;
  }
  LeaseGrant Lease(Pool& pool, HolderId holder, const std::string& name) {
    LeaseRequest request = RequestOf(4096);
    request.name = name;
    return pool.Lease(holder, request).value();
  }
  LeaseGrant Sealed(Pool& pool, const std::string& name,
                    absl::Duration linger) {
    const LeaseGrant grant = Lease(pool, kBob, name);
    EXPECT_THAT(pool.Seal(kBob, {grant.id, 0}, {linger, {}}), IsOk());
    return grant;
  }
  void Acknowledge(const LeaseGrant& grant) {
    acknowledged_.emplace(grant.buffer_name,
                          fs::path(grant.path).filename().string());
  }
  void FlipLastRecord() {
    const std::string path = path_ + "/private/journal";
    std::string bytes = ContentsOf(path);
    bytes[bytes.find_last_not_of('\0')] ^= 1;
    std::ofstream(path, std::ios::binary) << bytes;
  }

  // A start, and what follows from it within some seconds.
  absl::Status Recover(DaemonLife& daemon) {
    absl::Status started = daemon.Start({kAlice});
    if (!started.ok()) return started;
    for (int i = 0; i < 3; ++i) {
      clock_.Advance(absl::Seconds(2));
      daemon.pool().Tick();
      daemon.pool().CheckInvariants();
    }
    return absl::OkStatus();
  }
  // Whether it got to its end.
  bool RecoverUntilDeath(uint64_t calls_to_live, size_t io_bytes = SIZE_MAX) {
    DyingCalls calls(calls_to_live, io_bytes);
    DaemonLife daemon(path_, &calls, &random_, &clock_);
    Recover(daemon).IgnoreError();
    const bool dead = calls.dead();
    // Whatever it had retained is left as it was.
    calls.Die();
    return !dead;
  }

  // The buffers with a lease, and the names of their files.
  static std::map<std::string, std::string> BuffersOf(Pool& pool) {
    std::map<std::string, std::string> buffers;
    for (const BufferListing& buffer : pool.ListAll()) {
      buffers.emplace(buffer.name, buffer.file_name);
      EXPECT_EQ(buffer.leases.size(), 1u) << buffer.name;
    }
    return buffers;
  }

  // A recovery that nothing befalls finds all, and keeps nothing else.
  void ExpectAllIsRecovered() {
    LinuxSystemCalls calls;
    DaemonLife daemon(path_, &calls, &random_, &clock_);
    ASSERT_THAT(Recover(daemon), IsOk());
    Pool& pool = daemon.pool();
    EXPECT_EQ(BuffersOf(pool), acknowledged_);
    // What came back may be retained.
    pool.ReleaseUnused(EvictionReason::kPressure, absl::ZeroDuration());
    std::set<std::string> files;
    for (const auto& [buffer, file] : acknowledged_) files.insert(file);
    for (const auto& entry : fs::directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      if (entry.is_regular_file() && name != "daemon.lock") {
        EXPECT_THAT(files, Contains(name)) << "it is leaked";
        files.erase(name);
      }
    }
    EXPECT_TRUE(files.empty()) << *files.begin() << " is gone";
    std::set<std::string> of_its_own;
    for (const auto& entry : fs::directory_iterator(path_ + "/private")) {
      of_its_own.insert(entry.path().filename());
    }
    std::set<std::string> expected = {"journal", "journal.spare",
                                      "warmpool-directory"};
    if (kept_damaged_) {
      expected.insert("journal.damaged");
    } else {
      // It was made, perhaps, and then could not be used.
      of_its_own.erase("journal.damaged");
    }
    EXPECT_EQ(of_its_own, expected);
    const Pool::Stats stats = pool.stats();
    EXPECT_EQ(stats.segments.quarantined_segments, 0u);
    EXPECT_EQ(stats.live_leases, acknowledged_.size());

    // They are what they were.
    EXPECT_THAT(
        pool.Claim(kAlice, {random_.Next(), ClientId(), ticket_, std::nullopt}),
        IsOk());
    for (const char* const name : {"lingers", "kept", "read"}) {
      EXPECT_THAT(pool.Attach(kAlice, AttachTo(name, Access::kReadOnly)),
                  IsOk());
    }
    EXPECT_THAT(pool.Release(kAlice, {held_}, false), ElementsAre(IsOk()));
    EXPECT_GT(Lease(pool, kAlice, "next").generation, held_.generation);
    pool.CheckInvariants();
  }

  // But for what holds nothing: the lock, and what the journal is to be written
  // to next.
  Tree TreeOf() {
    Tree tree;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      const std::string name = fs::relative(entry.path(), path_);
      if (name == "daemon.lock" || name == "private/journal.spare" ||
          name == "private/journal.damaged") {
        continue;
      }
      struct stat file;
      EXPECT_EQ(lstat(entry.path().c_str(), &file), 0);
      std::string contents;
      if (entry.is_regular_file()) contents = ContentsOf(entry.path());
      // Nor does it matter how far it is filled up with zeros.
      if (name == "private/journal") {
        contents.resize(contents.find_last_not_of('\0') + 1);
      }
      tree[name] = {file.st_mode, contents};
    }
    return tree;
  }

  // A recovery of which the call of that number fails, and so many of its kind
  // from there on: it goes through, or changes nothing. Returns whether there
  // was such a call.
  bool Fail(Call call, uint64_t number, int error, uint64_t times) {
    MakeHistory();
    const Tree before = TreeOf();
    FaultySystemCalls calls;
    calls.FailNth(call, number, error, times);
    bool started = false;
    {
      DaemonLife daemon(path_, &calls, &random_, &clock_);
      started = Recover(daemon).ok();
      if (started) {
        EXPECT_EQ(BuffersOf(daemon.pool()), acknowledged_);
        // Nobody is kept out for the sake of it.
        kept_damaged_ &= daemon.journal().kept_aside().ok();
      }
    }
    if (!started) {
      EXPECT_EQ(TreeOf(), before) << "a failed start changed something";
    }
    ExpectAllIsRecovered();
    const bool failed = calls.faults() > 0;
    (started ? survived_ : refused_) += failed;
    return failed;
  }
  void FailEach(uint64_t times) {
    const std::vector<std::pair<Call, std::vector<int>>> failures = {
        {Call::kOpen, {EMFILE, EACCES, ENOMEM}},
        {Call::kFstat, {EIO}},
        {Call::kFallocate, {ENOSPC, EIO}},
        {Call::kRead, {EIO}},
        {Call::kWrite, {EIO, ENOSPC}},
        {Call::kRename, {EACCES, ENOSPC}},
        {Call::kFcntl, {ENOMEM}},
        {Call::kFstatfs, {EIO}},
        {Call::kTruncate, {EIO}},
        {Call::kUnlink, {EACCES}},
        {Call::kClose, {EIO}},
        {Call::kChmod, {EACCES}},
    };
    for (const auto& [call, errors] : failures) {
      for (const int error : errors) {
        for (uint64_t number = 1;; ++number) {
          SCOPED_TRACE(::testing::Message()
                       << SystemCalls::Name(call) << " number " << number
                       << " fails with error " << error);
          const bool failed = Fail(call, number, error, times);
          ASSERT_FALSE(HasFailure());
          if (!failed) break;
        }
      }
    }
    EXPECT_GT(refused_, 20u);
    EXPECT_GT(survived_, 20u);
  }

  ScratchDirectory scratch_;
  const std::string path_ = scratch_.Join("pool");
  FakeClock clock_;
  SeededRandom random_{1};
  const LeaseId ticket_ = random_.Next();
  LeaseRef held_;
  // Whether a daemon is to have kept the damaged journal.
  bool kept_damaged_ = false;
  // Recoveries in which something failed.
  size_t refused_ = 0;
  size_t survived_ = 0;
  std::map<std::string, std::string> acknowledged_;
};

INSTANTIATE_TEST_SUITE_P(WholeOrDamaged, RecoveryFaultTest, ::testing::Bool());

TEST_P(RecoveryFaultTest, KilledAtAnyCallItLosesNothing) {
  for (uint64_t calls = 0;; ++calls) {
    SCOPED_TRACE(::testing::Message() << "killed after " << calls << " calls");
    MakeHistory();
    const bool survived = RecoverUntilDeath(calls);
    ExpectAllIsRecovered();
    ASSERT_FALSE(HasFailure());
    if (survived) {
      EXPECT_GT(calls, 60u);
      return;
    }
  }
}

TEST_P(RecoveryFaultTest, KilledWithinAnyWriteItLosesNothing) {
  // Short reads too: every third call, so that it does not take long.
  for (uint64_t calls = 0;; calls += 3) {
    SCOPED_TRACE(::testing::Message() << "killed after " << calls << " calls");
    MakeHistory();
    const bool survived = RecoverUntilDeath(calls, /*io_bytes=*/241);
    ExpectAllIsRecovered();
    ASSERT_FALSE(HasFailure());
    if (survived) return;
  }
}

TEST_P(RecoveryFaultTest, KilledAgainInTheRecoveryAfterThatItLosesNothing) {
  // For each first death every so manieth second one, other ones each time.
  constexpr uint64_t kStride = 3;
  bool survived = false;
  for (uint64_t first = 0; !survived; ++first) {
    bool survived_again = false;
    for (uint64_t second = first % kStride; !survived_again;
         second += kStride) {
      SCOPED_TRACE(::testing::Message() << "killed after " << first
                                        << " calls, then after " << second);
      MakeHistory();
      survived = RecoverUntilDeath(first);
      survived_again = RecoverUntilDeath(second);
      ExpectAllIsRecovered();
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST_P(RecoveryFaultTest, WhateverCallFailsNothingIsLost) {
  FailEach(/*times=*/1);
}

TEST_P(RecoveryFaultTest, WhateverCallFailsFromThereOnNothingIsLost) {
  FailEach(/*times=*/UINT64_MAX);
}

}  // namespace
}  // namespace warmpool
