// What a lease costs that finds nothing warm, beside what people write by hand:
// the time until 8 bytes of each 4 KiB are written, RPC, attach and all. From
// stock (made ahead of demand) and fresh (made on the spot), with huge pages
// and without, on a plain /dev/shm and on a tmpfs mounted huge=within_size.
//
//   bazel-bin/tests/bench/bench_cold_leases
//
// Daemons are processes of their own; the client keeps nothing. All arms of a
// size take turns, in another order each round, and each sample waits until its
// daemon has nothing left to do; a few calls then wake who fell asleep over
// that. Ending what was made is not timed. Warm leases show what there is left
// to gain.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "core/memory/size_class.h"
#include "tests/bench/segments/by_hand.h"
#include "tests/bench/segments/machine.h"
#include "tests/bench/segments/pool.h"
#include "tests/bench/segments/samples.h"
#include "tests/core/memory/small_tmpfs.h"

ABSL_FLAG(
    int, rounds, 200,
    "Samples of each arm at 2 MiB; a third of them at 64 MiB, a twentieth "
    "at 1 GiB");
ABSL_FLAG(int, calls_before, 10,
          "Calls before each sample, of client or kernel, so that neither "
          "process nor processor is asleep; 0: they are, for 5 ms");
ABSL_FLAG(bool, only_small, false, "2 MiB alone");

namespace warmpool::bench {
namespace {

// Either time of a sample: until the memory is there and mapped, and until it
// is written.
class Arm {
 public:
  Arm(std::string name, std::string place)
      : name_(std::move(name)), place_(std::move(place)) {}
  virtual ~Arm() = default;

  virtual void Sample(size_t bytes) = 0;

  const std::string& name() const { return name_; }
  // Arms of one place are compared.
  const std::string& place() const { return place_; }
  const Samples& total() const { return total_; }
  const Samples& mapped() const { return mapped_; }
  // How many samples were what the arm is about.
  size_t as_named() const { return as_named_; }

 protected:
  template <typename Map>
  void Time(size_t bytes, const Map& map) {
    const Clock& clock = MonotonicClock::Get();
    const absl::Time start = clock.Now();
    std::byte* const data = map();
    const absl::Time mapped = clock.Now();
    Touch(data, bytes);
    const absl::Time touched = clock.Now();
    mapped_.Add(mapped - start);
    total_.Add(touched - start);
  }

  size_t as_named_ = 0;

 private:
  const std::string name_;
  const std::string place_;
  Samples mapped_;
  Samples total_;
};

class ByHandArm final : public Arm {
 public:
  ByHandArm(std::string place, std::string directory)
      : Arm("by hand", std::move(place)), directory_(std::move(directory)) {}

  void Sample(size_t bytes) override {
    for (int i = 0; i < absl::GetFlag(FLAGS_calls_before); ++i) {
      ByHand(ByHand::PathIn(directory_)).Make(kPageSize);
    }
    ByHand made(ByHand::PathIn(directory_));
    Time(bytes, [&] {
      made.Make(bytes);
      return made.data();
    });
    ++as_named_;
  }

 private:
  const std::string directory_;
};

class LeaseArm final : public Arm {
 public:
  // `directory`: empty for one on /dev/shm.
  LeaseArm(std::string name, std::string place, const std::string& directory,
           BufferWarmth warmth, size_t bytes, const std::string& huge_pages)
      : Arm(std::move(name), std::move(place)),
        warmth_(warmth),
        stock_bytes_(warmth == BufferWarmth::kStock ? 2 * bytes : 0),
        pool_(Flags(huge_pages), directory) {}

  void Sample(size_t bytes) override {
    Prime(bytes);
    Check(pool_.AwaitQuiet(stock_bytes_));
    for (int i = 0; i < absl::GetFlag(FLAGS_calls_before); ++i) {
      pool_.client().Attach("of-nobody").IgnoreError();
    }
    Buffer buffer;
    Time(bytes, [&] {
      buffer = OrThrow(pool_.client().Lease(bytes));
      return buffer.data();
    });
    as_named_ += buffer.warmth() == warmth_;
    Check(buffer.Release());
  }

 private:
  std::vector<std::string> Flags(const std::string& huge_pages) const {
    std::vector<std::string> flags = {
        absl::StrCat("--huge_pages=", huge_pages),
        absl::StrCat("--stock_bytes=", stock_bytes_), "--bigcache_decay=1h",
        // What ends does so before the next sample.
        "--batch_threshold_bytes=0"};
    if (warmth_ != BufferWarmth::kWarm) flags.push_back("--bigcache_bytes=0");
    return flags;
  }

  // Demand, without which there is no stock; and something to retain.
  void Prime(size_t bytes) {
    if (std::exchange(primed_, true)) return;
    for (int i = 0; i < 2; ++i) {
      Check(OrThrow(pool_.client().Lease(bytes)).Release());
    }
  }

  const BufferWarmth warmth_;
  const uint64_t stock_bytes_;
  bool primed_ = false;
  PoolUnderTest pool_;
};

// All that is measured of one size, on a tmpfs of some kind.
void AddArms(const std::string& place, const std::string& by_hand_directory,
             const std::string& pool_directory, size_t bytes,
             std::vector<std::unique_ptr<Arm>>* arms) {
  const auto add = [&](const char* name, BufferWarmth warmth,
                       const char* huge_pages) {
    arms->push_back(std::make_unique<LeaseArm>(
        name, place,
        pool_directory.empty()
            ? ""
            : absl::StrCat(pool_directory, static_cast<int>(warmth), "-",
                           bytes),
        warmth, bytes, huge_pages));
  };
  arms->push_back(std::make_unique<ByHandArm>(place, by_hand_directory));
  add("warm", BufferWarmth::kWarm, "auto");
  // Two of 1 GiB are more than stock should take of most machines.
  const bool stocks = bytes < kGiB;
  if (stocks) add("from stock", BufferWarmth::kStock, "auto");
  add("fresh", BufferWarmth::kFresh, "auto");
  if (!pool_directory.empty()) return;
  if (stocks) add("from stock, 4 KiB pages", BufferWarmth::kStock, "never");
  add("fresh, 4 KiB pages", BufferWarmth::kFresh, "never");
}

void Print(size_t bytes, const std::vector<std::unique_ptr<Arm>>& arms) {
  const Arm* by_hand = nullptr;
  for (const auto& arm : arms) {
    if (by_hand == nullptr || arm->place() != by_hand->place()) {
      by_hand = arm.get();
      std::printf("\n%s on %s, us\n%-26s %5s %9s %9s %9s %9s %7s %15s\n",
                  FormatByteSize(bytes).c_str(), arm->place().c_str(), "", "N",
                  "p10", "median", "p90", "unwritten", "named",
                  "by hand / this");
    }
    std::printf(
        "%-26s %5zu %9.1f %9.1f %9.1f %9.1f %6.0f%% %15.1f\n",
        arm->name().c_str(), arm->total().size(), arm->total().Quantile(0.1),
        arm->total().Median(), arm->total().Quantile(0.9),
        arm->mapped().Median(),
        100.0 * static_cast<double>(arm->as_named()) /
            static_cast<double>(std::max<size_t>(arm->total().size(), 1)),
        by_hand->total().Median() / arm->total().Median());
  }
  std::fflush(stdout);
}

void Run(size_t bytes, int rounds, const SmallTmpfs& within_size) {
  std::vector<std::unique_ptr<Arm>> arms;
  AddArms("a plain /dev/shm", "/dev/shm", "", bytes, &arms);
  if (within_size.problem().empty()) {
    AddArms("huge=within_size", within_size.Join(""), within_size.Join(""),
            bytes, &arms);
  }
  std::vector<size_t> order(arms.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937 random(1);
  for (int round = 0; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t arm : order) arms[arm]->Sample(bytes);
  }
  Print(bytes, arms);
}

void RunAll() {
  // First of all: what starts later sees the mounts that there are then.
  const SmallTmpfs within_size("huge=within_size,size=8g");
  PrintMachine();
  if (!within_size.problem().empty()) {
    std::printf("Nothing on huge=within_size: %s\n",
                within_size.problem().c_str());
  }
  std::printf(
      "Time until mapped and written; \"unwritten\": until mapped (median); "
      "\"named\": the part of the samples that the daemon said was warm, from "
      "stock, fresh\n");
  const int rounds = absl::GetFlag(FLAGS_rounds);
  Run(2 * kMiB, rounds, within_size);
  if (absl::GetFlag(FLAGS_only_small)) return;
  Run(64 * kMiB, std::max(1, rounds / 3), within_size);
  Run(kGiB, std::max(1, rounds / 20), within_size);
}

}  // namespace
}  // namespace warmpool::bench

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  try {
    warmpool::bench::RunAll();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_cold_leases: %s\n", error.what());
    return 1;
  }
}
