// What giving memory back costs others, and whether all of it is given back.
//
//   bazel-bin/tests/bench/bench_giving_back
//
// First, warm leases of one client while the daemon ends what another has
// released, --bytes in segments of 2 MiB, as fast as it can; beside them the
// same leases while a process of its own unmaps as much private memory in
// blocks of as much, with pages as large. Then what is left of the filesystem's
// bytes and the daemon's memory some time after the last release.
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/leases/connection.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "core/memory/size_class.h"
#include "tests/bench/segments/by_hand.h"
#include "tests/bench/segments/machine.h"
#include "tests/bench/segments/pool.h"
#include "tests/bench/segments/samples.h"
#include "tests/core/memory/small_tmpfs.h"
#include "tests/support/child_process.h"
#include "tests/support/runfile.h"

ABSL_FLAG(warmpool::ByteSize, bytes, {4 * warmpool::kGiB},
          "Given back at a time");
ABSL_FLAG(int, rounds, 10, "Times that so much is given back, either way");
ABSL_FLAG(absl::Duration, idle, absl::Seconds(10),
          "After the last release, before what is left is read; the daemon "
          "decays in the half of it");

namespace warmpool::bench {
namespace {

using testing::ChildProcess;

constexpr size_t kBytes = 2 * kMiB;

size_t Count() { return absl::GetFlag(FLAGS_bytes).bytes / kBytes; }

// What a process that holds so much memory, leased or its own, says to the one
// that started it; returns when told to go on.
void Say(const char* what) {
  std::puts(what);
  std::fflush(stdout);
  for (int c = 0; c != '\n' && c != EOF;) c = std::getchar();
}

int HoldPrivately(bool huge) {
  std::vector<std::byte*> blocks;
  for (size_t i = 0; i < Count(); ++i) {
    void* const block = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return 1;
    madvise(block, kBytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    blocks.push_back(static_cast<std::byte*>(block));
    Touch(blocks.back(), kBytes);
  }
  Say("ready");
  for (std::byte* const block : blocks) munmap(block, kBytes);
  Say("done");
  return 0;
}

// Unmapped, so that giving them back is the daemon's work alone.
int HoldLeases(const std::string& target) {
  const std::shared_ptr<Connection> connection =
      OrThrow(Connection::Open(target, Connection::Options()));
  v1::LeaseRequest request;
  request.set_size_bytes(kBytes);
  std::vector<v1::LeaseRef> leases;
  for (size_t i = 0; i < Count(); ++i) {
    const HeldLease lease = OrThrow(connection->Lease(request));
    leases.emplace_back().set_lease_id(lease.granted.lease_id());
    leases.back().set_generation(lease.granted.generation());
  }
  Say("ready");
  connection->ReleaseLater(leases);
  Say("done");
  return 0;
}

// Leases until the memory is given back: `gone` tells.
template <typename Gone>
void LeaseMeanwhile(Client& client, const Gone& gone, Samples* samples,
                    uint64_t* not_warm) {
  const Clock& clock = MonotonicClock::Get();
  do {
    const absl::Time start = clock.Now();
    Buffer buffer = OrThrow(client.Lease(kBytes));
    Touch(buffer.data(), kBytes);
    samples->Add(clock.Now() - start);
    *not_warm += buffer.warmth() != BufferWarmth::kWarm;
    Check(buffer.Release());
  } while (!gone());
}

struct Side {
  Samples samples;
  uint64_t not_warm = 0;
  absl::Duration took;
};

// Holds, then gives back, meanwhile leases; the holder is told by `arguments`.
template <typename Gone>
void GiveBack(const std::vector<std::string>& arguments, Client& client,
              const Gone& gone, Side* side) {
  ChildProcess holder(arguments);
  if (holder.ReadLine() != "ready") Check(absl::InternalError("no holder"));
  // The holder may have leased what was warm.
  Check(OrThrow(client.Lease(kBytes)).Release());
  std::atomic<bool> done = false;
  std::thread waiter([&] {
    holder.WriteLine("go");
    holder.ReadLine();
    done = true;
  });
  const absl::Time start = absl::Now();
  LeaseMeanwhile(
      client, [&] { return done && gone(); }, &side->samples, &side->not_warm);
  side->took += absl::Now() - start;
  waiter.join();
  holder.WriteLine("bye");
  holder.Wait();
}

void PrintSide(const char* name, const Side& side) {
  std::printf(
      "  %-34s %7zu leases in %6.2f s, %4.1f%% not warm: median %7.1f "
      "p90 %7.1f p99 %7.1f most %8.1f us\n",
      name, side.samples.size(), absl::ToDoubleSeconds(side.took),
      100.0 * static_cast<double>(side.not_warm) /
          static_cast<double>(side.samples.size()),
      side.samples.Median(), side.samples.Quantile(0.9),
      side.samples.Quantile(0.99), side.samples.Quantile(1));
}

void MeasureOthers(const std::string& huge_pages) {
  PoolUnderTest pool({"--huge_pages=" + huge_pages, "--stock_bytes=0",
                      absl::StrCat("--capacity_bytes=",
                                   absl::GetFlag(FLAGS_bytes).bytes + kGiB)});
  Check(OrThrow(pool.client().Lease(kBytes)).Release());
  // But for what the client itself leases, and what Batch waits to have more
  // of.
  const auto gone = [&pool] {
    const v1::ByteAccount bytes = pool.Stats().bytes();
    return bytes.leased_bytes() <= kBytes && bytes.batched_bytes() < 4 * kMiB;
  };
  Side daemon;
  Side other;
  for (int i = 0; i < absl::GetFlag(FLAGS_rounds); ++i) {
    GiveBack({testing::ThisProgram(), "hold_leases", pool.daemon().target(),
              absl::StrCat("--bytes=", absl::GetFlag(FLAGS_bytes).bytes)},
             pool.client(), gone, &daemon);
    GiveBack({testing::ThisProgram(), "hold_privately", huge_pages,
              absl::StrCat("--bytes=", absl::GetFlag(FLAGS_bytes).bytes)},
             pool.client(), gone, &other);
  }
  std::printf("\nWarm leases of 2 MiB while %s go, --huge_pages=%s\n",
              FormatByteSize(absl::GetFlag(FLAGS_bytes).bytes).c_str(),
              huge_pages.c_str());
  PrintSide("given back by the daemon", daemon);
  PrintSide("unmapped by another process", other);
  std::printf("  p99 of the one / of the other: %.2f\n",
              daemon.samples.Quantile(0.99) / other.samples.Quantile(0.99));
  std::fflush(stdout);
}

uint64_t ResidentBytes(pid_t pid) {
  uint64_t all = 0;
  uint64_t resident = 0;
  std::ifstream(absl::StrCat("/proc/", pid, "/statm")) >> all >> resident;
  return resident * kPageSize;
}

struct Standing {
  uint64_t filesystem_bytes = 0;
  uint64_t resident_bytes = 0;
};

Standing StandingOf(PoolUnderTest& pool, const std::string& directory) {
  struct statvfs filesystem;
  statvfs(directory.c_str(), &filesystem);
  return {(filesystem.f_blocks - filesystem.f_bfree) * filesystem.f_frsize,
          ResidentBytes(pool.daemon().pid())};
}

void MeasureDecay(const SmallTmpfs& own) {
  PoolUnderTest pool(
      {absl::StrCat("--bigcache_decay=",
                    absl::FormatDuration(absl::GetFlag(FLAGS_idle) / 2))},
      own.Join("pool"));
  const Standing fresh = StandingOf(pool, own.Join(""));
  for (const size_t bytes : {64 * kKiB, 2 * kMiB, 64 * kMiB}) {
    for (int round = 0; round < 2; ++round) {
      std::vector<Buffer> buffers;
      for (size_t i = 0; i < std::min(kGiB / bytes, size_t{256}); ++i) {
        buffers.push_back(OrThrow(pool.client().Lease(bytes)));
        Touch(buffers.back().data(), bytes);
      }
      for (Buffer& buffer : buffers) Check(buffer.Release());
    }
  }
  const Standing busy = StandingOf(pool, own.Join(""));
  const v1::ByteAccount bytes = pool.Stats().bytes();
  absl::SleepFor(absl::GetFlag(FLAGS_idle));
  const Standing after = StandingOf(pool, own.Join(""));
  std::printf(
      "\nThe daemon before its first lease, right after the last release "
      "(retained %s, stock %s) and %s later\n",
      FormatByteSize(bytes.retained_bytes()).c_str(),
      FormatByteSize(bytes.stock_bytes()).c_str(),
      absl::FormatDuration(absl::GetFlag(FLAGS_idle)).c_str());
  const auto print = [](const char* what, uint64_t a, uint64_t b, uint64_t c) {
    std::printf("  %-28s %10.2f %10.2f %10.2f MiB: %+.2f\n", what,
                static_cast<double>(a) / kMiB, static_cast<double>(b) / kMiB,
                static_cast<double>(c) / kMiB,
                (static_cast<double>(c) - static_cast<double>(a)) / kMiB);
  };
  print("of the filesystem", fresh.filesystem_bytes, busy.filesystem_bytes,
        after.filesystem_bytes);
  print("resident", fresh.resident_bytes, busy.resident_bytes,
        after.resident_bytes);
}

int Run() {
  // First of all: what starts later sees the mounts that there are then.
  const SmallTmpfs own("size=8g");
  PrintMachine();
  if (absl::GetFlag(FLAGS_rounds) > 0) {
    for (const char* const huge_pages : {"auto", "never"}) {
      MeasureOthers(huge_pages);
    }
  }
  if (own.problem().empty()) {
    MeasureDecay(own);
  } else {
    std::printf("Nothing on what is left later: %s\n", own.problem().c_str());
  }
  return 0;
}

}  // namespace
}  // namespace warmpool::bench

int main(int argc, char** argv) {
  const std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  try {
    if (arguments.size() == 3) {
      const std::string command = arguments[1];
      if (command == "hold_privately") {
        return warmpool::bench::HoldPrivately(arguments[2] !=
                                              std::string("never"));
      }
      if (command == "hold_leases") {
        return warmpool::bench::HoldLeases(arguments[2]);
      }
    }
    return warmpool::bench::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_giving_back: %s\n", error.what());
    return 1;
  }
}
