// A pool whose process is killed at any system call, while names of files
// change hands: no acknowledged lease is lost, and no two holders get at one
// file.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/journal/journal.h"
#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/scratch_directory.h"
#include "tests/core/pool/restart/dying_calls.h"

namespace warmpool {
namespace {

namespace fs = std::filesystem;

constexpr HolderId kAlice = 1;
constexpr HolderId kBob = 2;
constexpr uint64_t kBytes = 64 * kKiB;

// What a lease is to its holders.
enum Slot { kExpiring, kKept, kReusing, kHanded, kClaimed, kSlots };

// What clients know when the daemon dies; in memory that it shares with the
// test.
struct Seen {
  struct Lease {
    bool granted = false;
    char path[256] = {};
  };
  Lease leases[kSlots];
  // Its time to live is over: it may have ended.
  bool expired = false;
  bool ticket_made = false;
  bool finished = false;
};

// One daemon's life.
class Daemon {
 public:
  Daemon(const std::string& path, SystemCalls* calls) {
    directory_ =
        SegmentDirectory::Open(path, "this test", calls, &KernelRandom::Get())
            .value();
    Journal::Replay replay;
    journal_ = Journal::Open(directory_->private_directory_fd(), "this boot",
                             Journal::Options(), calls, &replay)
                   .value();
    std::vector<std::string> unknown;
    std::vector<Segment> leftovers =
        directory_->FindLeftovers(SizeClasses(), &unknown).value();
    Pool::Options options;
    options.segments.batch.drain = UnmapBatch::Drain::kInline;
    pool_ =
        std::make_unique<Pool>(directory_.get(), calls, &clock_,
                               &KernelRandom::Get(), options, journal_.get());
    pool_->AddHolder({kAlice, 101, geteuid(), "alice", false, 11});
    pool_->AddHolder({kBob, 102, geteuid(), "bob", false, 12});
    EXPECT_THAT(journal_->Begin(), IsOk());
    std::vector<RecoveredLease> leases;
    for (const LeaseRecord& record : replay.leases) {
      leases.push_back({record, record.holder_pid == 101 ? kAlice : kBob});
    }
    pool_->Recover(leases, replay.last_generation, std::move(leftovers));
    pool_->CheckInvariants();
  }

  Pool& pool() { return *pool_; }

  absl::StatusOr<LeaseGrant> Lease(HolderId holder, Slot slot,
                                   absl::Duration ttl) {
    LeaseRequest request;
    request.request_id = RequestOf(slot);
    request.bytes = kBytes;
    request.name = std::string("buffer-") + std::to_string(slot);
    request.ttl = ttl;
    return pool_->Lease(holder, request);
  }

  absl::StatusOr<LeaseGrant> AttachToHanded(absl::Duration ttl) {
    AttachRequest request;
    request.request_id = {100, 0};
    request.name = std::string("buffer-") + std::to_string(kHanded);
    request.access = Access::kSharedWritable;
    request.ttl = ttl;
    return pool_->Attach(kBob, request);
  }

  absl::Status MakeTicket(const LeaseId& lease) {
    return pool_->MakeTicket(kAlice, {lease, 0}, kTicket, std::nullopt)
        .status();
  }
  absl::StatusOr<LeaseGrant> Claim() {
    return pool_->Claim(
        kBob, {RequestOf(kClaimed), ClientId(), kTicket, absl::ZeroDuration()});
  }

  void Advance(absl::Duration duration) {
    clock_.Advance(duration);
    pool_->Tick();
  }

 private:
  static constexpr LeaseId kTicket = {7, 7};
  static RequestId RequestOf(Slot slot) {
    return {1, static_cast<uint64_t>(slot)};
  }

  FakeClock clock_;
  std::unique_ptr<SegmentDirectory> directory_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Pool> pool_;
};

// What each byte of a lease is.
std::string StampOf(Slot slot) {
  // The claimer gets what was handed over.
  return std::string(1, 'a' + (slot == kClaimed ? kHanded : slot));
}

void Note(const absl::StatusOr<LeaseGrant>& grant, Slot slot, Seen* seen) {
  if (!grant.ok()) return;
  Seen::Lease& lease = seen->leases[slot];
  std::strncpy(lease.path, grant->path.c_str(), sizeof(lease.path) - 1);
  if (slot != kClaimed) {
    const int fd = open(lease.path, O_RDWR | O_CLOEXEC);
    const std::string bytes(kBytes, StampOf(slot)[0]);
    if (pwrite(fd, bytes.data(), kBytes, 0) != ssize_t{kBytes}) _exit(1);
    close(fd);
  }
  lease.granted = true;
}

// What each byte of the file is.
std::string StampAt(const std::string& path) {
  std::string bytes(kBytes, '\0');
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "no file";
  const bool whole = pread(fd, bytes.data(), kBytes, 0) == ssize_t{kBytes};
  close(fd);
  const bool uniform = bytes.find_first_not_of(bytes[0]) == std::string::npos;
  return whole && uniform ? bytes.substr(0, 1) : "other bytes";
}

class PoolKilledTest : public testing::Test {
 protected:
  // The daemon's life, up to its death at the system call after `calls`.
  void LiveAndDie(uint64_t calls, Seen* seen) {
    DyingCalls dying(calls, SIZE_MAX, [] { _exit(0); });
    Daemon daemon(path_, &dying);
    Note(daemon.Lease(kAlice, kExpiring, absl::Seconds(1)), kExpiring, seen);
    Note(daemon.Lease(kBob, kKept, absl::ZeroDuration()), kKept, seen);
    const auto handed =
        daemon.Lease(kAlice, kHanded, absl::ZeroDuration()).value();
    Note(handed, kHanded, seen);
    // Granted, but never opened.
    daemon.AttachToHanded(absl::Seconds(1)).value();
    seen->expired = true;
    daemon.Advance(absl::Seconds(1));
    Note(daemon.Lease(kBob, kReusing, absl::ZeroDuration()), kReusing, seen);
    seen->ticket_made = true;
    if (!daemon.MakeTicket(handed.id).ok()) _exit(1);
    Note(daemon.Claim(), kClaimed, seen);
    seen->finished = true;
    // Without goodbye.
    _exit(0);
  }

  void ExpectNothingLost(const Seen& seen) {
    Daemon next(path_, &LinuxSystemCalls::Get());
    std::set<std::string> paths;
    // Repeated, a request is answered with the lease that it has.
    const auto expect_kept = [&](Slot slot,
                                 const absl::StatusOr<LeaseGrant>& again) {
      if (!seen.leases[slot].granted) return;
      ASSERT_THAT(again, IsOk()) << "slot " << slot;
      EXPECT_EQ(again->path, seen.leases[slot].path) << "slot " << slot;
      EXPECT_EQ(StampAt(again->path), StampOf(slot)) << "slot " << slot;
      EXPECT_TRUE(paths.insert(again->path).second) << again->path;
    };
    const absl::Duration forever = absl::ZeroDuration();
    if (!seen.expired) {
      expect_kept(kExpiring, next.Lease(kAlice, kExpiring, absl::Seconds(1)));
    }
    expect_kept(kKept, next.Lease(kBob, kKept, forever));
    expect_kept(kReusing, next.Lease(kBob, kReusing, forever));
    if (!seen.ticket_made) {
      expect_kept(kHanded, next.Lease(kAlice, kHanded, forever));
      return;
    }
    // It was with one of the three at every moment.
    const auto handed = next.Lease(kAlice, kHanded, forever);
    if (handed.ok()) {
      EXPECT_EQ(handed->path, seen.leases[kHanded].path);
      EXPECT_EQ(StampAt(handed->path), StampOf(kHanded));
      ASSERT_THAT(next.MakeTicket(handed->id), IsOk());
    }
    const auto claimed = next.Claim();
    ASSERT_THAT(claimed, IsOk());
    EXPECT_EQ(StampAt(claimed->path), StampOf(kClaimed));
    EXPECT_NE(claimed->path, seen.leases[kHanded].path)
        << "an expired writer may open it";
    expect_kept(kClaimed, claimed);
    if (seen.leases[kReusing].granted) {
      EXPECT_STRNE(seen.leases[kReusing].path, seen.leases[kExpiring].path);
    }
    next.pool().CheckInvariants();
  }

  ScratchDirectory scratch_;
  std::string path_;
};

TEST_F(PoolKilledTest, AtAnySystemCallNoLeaseIsLostNorFileShared) {
  Seen* const seen =
      static_cast<Seen*>(mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(seen, MAP_FAILED);
  uint64_t calls = 0;
  for (; !seen->finished; ++calls) {
    SCOPED_TRACE(testing::Message() << "killed after " << calls << " calls");
    ASSERT_LT(calls, 10'000u);
    *seen = Seen();
    path_ = scratch_.Join("pool-" + std::to_string(calls));
    const pid_t daemon = fork();
    if (daemon == 0) LiveAndDie(calls, seen);
    int status = 0;
    ASSERT_EQ(waitpid(daemon, &status, 0), daemon);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    ExpectNothingLost(*seen);
    if (HasFailure()) break;
    fs::remove_all(path_);
  }
  EXPECT_GT(calls, 30u);
  munmap(seen, sizeof(Seen));
}

}  // namespace
}  // namespace warmpool
