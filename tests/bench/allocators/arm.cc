#include "tests/bench/allocators/arm.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace warmpool::bench {
namespace {

using Options = BlockAllocator::Options;
using Unmap = UnmapBatch::Unmap;

Arm Warmpool(std::string name, std::function<void(Options*)> configure) {
  return {std::move(name), "warmpool", {}, "", "", std::move(configure)};
}

Arm Malloc(std::string name, std::string family,
           std::vector<std::string> environment, std::string symbol = "",
           std::string package = "") {
  return {std::move(name),   std::move(family),  std::move(environment),
          std::move(symbol), std::move(package), nullptr};
}

Arm Slots(const std::string& name, std::optional<size_t> slots) {
  return Warmpool(name, [slots](Options* options) {
    options->segments.bigcache.slots = slots;
  });
}

// With few slots, so that there is something for Batch to do.
Arm FourSlots(const std::string& name,
              std::function<void(Options*)> configure) {
  return Warmpool(name, [configure = std::move(configure)](Options* options) {
    options->segments.bigcache.slots = 4;
    configure(options);
  });
}

Arm Threshold(uint64_t mebibytes) {
  return FourSlots(absl::StrCat("4_slots:_batch_", mebibytes, "_MiB"),
                   [mebibytes](Options* options) {
                     options->segments.batch.threshold_bytes = mebibytes * kMiB;
                   });
}

Arm UnmapBy(const std::string& name, Unmap unmap) {
  return FourSlots(name, [unmap](Options* options) {
    options->segments.batch.unmap = unmap;
  });
}

}  // namespace

const std::vector<Arm>& Allocators() {
  static const auto* const arms = new std::vector<Arm>{
      Warmpool("warmpool", [](Options*) {}),
      Slots("warmpool_4_slots", 4),
      Warmpool("warmpool_4KiB",
               [](Options* options) { options->memory.huge_pages = false; }),
      Malloc("glibc", "malloc", {}),
      // The threshold moves up to the size of what was freed, after which
      // malloc keeps such blocks on its heap; fixed, it always maps.
      Malloc("glibc_mmap", "malloc",
             {"GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072"}),
      Malloc("glibc_huge", "malloc", {"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}),
      Malloc("jemalloc", "jemalloc", {"LD_PRELOAD=libjemalloc.so.2"}, "mallctl",
             "libjemalloc2"),
      Malloc("jemalloc_huge", "jemalloc",
             {"LD_PRELOAD=libjemalloc.so.2", "MALLOC_CONF=thp:always"},
             "mallctl", "libjemalloc2"),
      Malloc("mimalloc", "mimalloc", {"LD_PRELOAD=libmimalloc.so.2.0"},
             "mi_version", "libmimalloc2.0"),
      Malloc("mimalloc_huge", "mimalloc",
             {"LD_PRELOAD=libmimalloc.so.2.0", "MIMALLOC_LARGE_OS_PAGES=1"},
             "mi_version", "libmimalloc2.0"),
      Malloc("tcmalloc", "tcmalloc", {"LD_PRELOAD=libtcmalloc_minimal.so.4"},
             "tc_version", "libtcmalloc-minimal4"),
  };
  return *arms;
}

const std::vector<Arm>& Ablations() {
  static const auto* const arms = new std::vector<Arm>{
      Warmpool("as_it_is", [](Options*) {}),
      Warmpool("4_KiB_pages",
               [](Options* options) { options->memory.huge_pages = false; }),
      Warmpool("no_thread_tier",
               [](Options* options) { options->max_tier_block_bytes = 0; }),
      Slots("2_slots", 2),
      Slots("4_slots", 4),
      Slots("BigCache_off", 0),
      FourSlots("4_slots:_Batch_off",
                [](Options* options) {
                  options->segments.batch.threshold_bytes = 0;
                  options->segments.batch.drain = UnmapBatch::Drain::kInline;
                }),
      FourSlots("4_slots:_no_drainer",
                [](Options* options) {
                  options->segments.batch.drain = UnmapBatch::Drain::kInline;
                }),
      Threshold(1),
      Threshold(16),
      Threshold(64),
      UnmapBy("4_slots:_one_munmap_each", Unmap::kEach),
      UnmapBy("4_slots:_process_madvise", Unmap::kAdviseAll),
      UnmapBy("4_slots:_MADV_FREE_first", Unmap::kLazyFree),
  };
  return *arms;
}

absl::StatusOr<std::vector<Arm>> SelectArms(absl::string_view selection,
                                            bool ablations) {
  const std::vector<Arm>& arms = ablations ? Ablations() : Allocators();
  const std::vector<std::string> words = absl::StrSplit(selection, ',');
  const auto names = [](const Arm& arm, absl::string_view word) {
    return word == "all" || word == arm.name || word == arm.family;
  };
  for (const std::string& word : words) {
    if (std::any_of(arms.begin(), arms.end(),
                    [&](const Arm& arm) { return names(arm, word); })) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "--allocator=", word, " is none of all, ",
        absl::StrJoin(arms, ", ", [](std::string* out, const Arm& arm) {
          out->append(arm.name);
        })));
  }
  std::vector<Arm> selected;
  std::copy_if(arms.begin(), arms.end(), std::back_inserter(selected),
               [&](const Arm& arm) {
                 return std::any_of(
                     words.begin(), words.end(),
                     [&](const std::string& word) { return names(arm, word); });
               });
  return selected;
}

const Arm* FindArm(absl::string_view name) {
  for (const std::vector<Arm>* const arms : {&Allocators(), &Ablations()}) {
    for (const Arm& arm : *arms) {
      if (arm.name == name) return &arm;
    }
  }
  return nullptr;
}

}  // namespace warmpool::bench
