// What leases meet on a filesystem that has less room than the daemon's
// capacity promises, and that others fill now and then: counts grants and
// refusals, and writes every page of what is granted. A SIGBUS ends the program
// with 1.
//
//   bazel-bin/tests/bench/bench_full_filesystem
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/memory/size_class.h"
#include "tests/bench/segments/by_hand.h"
#include "tests/bench/segments/machine.h"
#include "tests/bench/segments/pool.h"
#include "tests/core/memory/small_tmpfs.h"
#include "tests/support/daemon_process.h"
#include "tests/torture/filler.h"

ABSL_FLAG(int, tries, 10'000, "Leases asked for");

namespace warmpool::bench {
namespace {

constexpr size_t kSizes[] = {4 * kKiB, 64 * kKiB, 256 * kKiB,
                             kMiB,     2 * kMiB,  5 * kMiB / 2};
// From one change to the next: others fill the filesystem, or give it up.
constexpr int kTriesOfAPhase = 250;

void OnSigbus(int) {
  constexpr char kText[] = "SIGBUS: a lease had pages that were not there\n";
  (void)!write(STDERR_FILENO, kText, sizeof(kText) - 1);
  _exit(1);
}

struct Tally {
  uint64_t granted = 0;
  std::map<absl::StatusCode, uint64_t> refused;
};

void PrintTally(const char* when, const Tally& tally) {
  std::printf("  %-22s %6llu granted and written", when,
              static_cast<unsigned long long>(tally.granted));
  for (const auto& [code, count] : tally.refused) {
    std::printf(", %llu %s", static_cast<unsigned long long>(count),
                absl::StatusCodeToString(code).c_str());
  }
  std::printf("\n");
}

int Run() {
  const SmallTmpfs filesystem("size=64m");
  if (!filesystem.problem().empty()) {
    std::printf("Nothing measured: %s\n", filesystem.problem().c_str());
    return 0;
  }
  signal(SIGBUS, OnSigbus);
  PrintMachine();
  PoolUnderTest pool({"--capacity_bytes=1GiB"}, filesystem.Join("pool"));
  torture::Filler filler(filesystem.Join("filler"));
  std::mt19937 random(1);
  std::vector<Buffer> held;
  Tally full;
  Tally open;
  bool other_codes = false;
  for (int i = 0; i < absl::GetFlag(FLAGS_tries); ++i) {
    const bool fill = i / kTriesOfAPhase % 2 == 1;
    if (i % kTriesOfAPhase == 0) fill ? filler.Fill() : filler.Free();
    Tally& tally = fill ? full : open;
    const size_t bytes = kSizes[random() % std::size(kSizes)];
    absl::StatusOr<Buffer> buffer = pool.client().Lease(bytes);
    if (buffer.ok()) {
      Touch(buffer->data(), buffer->mapped_size());
      held.push_back(*std::move(buffer));
      ++tally.granted;
    } else {
      ++tally.refused[buffer.status().code()];
      other_codes |= !absl::IsResourceExhausted(buffer.status());
    }
    // Some go back, so that there is room to be had at times.
    if (!held.empty() && random() % 3 == 0) {
      std::swap(held[random() % held.size()], held.back());
      Check(held.back().Release());
      held.pop_back();
    }
  }
  held.clear();
  filler.Free();
  // All that the filesystem has but for the daemon's own.
  const bool recovered = testing::Eventually([&] {
    absl::StatusOr<Buffer> buffer = pool.client().Lease(48 * kMiB);
    if (buffer.ok()) Touch(buffer->data(), buffer->mapped_size());
    return buffer.ok();
  });
  std::printf("%d tries on 64 MiB with a capacity of 1 GiB, no SIGBUS\n",
              absl::GetFlag(FLAGS_tries));
  PrintTally("others left room", open);
  PrintTally("others left none", full);
  std::printf("  48 MiB once all is free: %s\n",
              recovered ? "granted and written" : "refused");
  return recovered && !other_codes ? 0 : 1;
}

}  // namespace
}  // namespace warmpool::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  try {
    return warmpool::bench::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_full_filesystem: %s\n", error.what());
    return 1;
  }
}
