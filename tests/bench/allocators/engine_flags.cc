#include "tests/bench/allocators/engine_flags.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "core/base/byte_size.h"

ABSL_FLAG(std::string, bigcache_slots, "",
          "Slots of Warmpool's arms, or adaptive; empty: as the arm has it");
ABSL_FLAG(warmpool::ByteSize, batch_threshold_bytes, {0},
          "Threshold of Warmpool's arms; 0: as the arm has it");
ABSL_FLAG(
    absl::Duration, decay, absl::Seconds(1),
    "Warmpool's BigCache keeps what nobody asks for so long; inf: for good");
ABSL_FLAG(
    absl::Duration, batch_max_age, absl::Milliseconds(100),
    "Warmpool's Batch keeps what is below the threshold so long; inf: for "
    "good");
ABSL_FLAG(std::string, batch, "",
          "thread, inline or off: whether Warmpool's Batch has a drainer, ends "
          "blocks on the thread that crosses the threshold, or ends each at "
          "once; empty: as the arm has it");
ABSL_FLAG(std::optional<bool>, huge_pages, std::nullopt,
          "Whether Warmpool's arms ask for 2 MiB pages; default: as the arm "
          "has it");
ABSL_FLAG(std::string, unmap, "",
          "runs, each, advise_all or lazy_free: how Warmpool's Batch unmaps; "
          "empty: as the arm has it");
namespace warmpool::bench {
namespace {

using Drain = UnmapBatch::Drain;
using Unmap = UnmapBatch::Unmap;

constexpr char kAdaptive[] = "adaptive";

const std::vector<std::pair<std::string, Unmap>>& Unmaps() {
  static const auto* const unmaps =
      new std::vector<std::pair<std::string, Unmap>>{
          {"runs", Unmap::kRuns},
          {"each", Unmap::kEach},
          {"advise_all", Unmap::kAdviseAll},
          {"lazy_free", Unmap::kLazyFree},
      };
  return *unmaps;
}

void SetSlots(const std::string& slots, BigCache::Options* bigcache) {
  size_t number = 0;
  if (slots == kAdaptive) bigcache->slots = std::nullopt;
  if (absl::SimpleAtoi(slots, &number)) bigcache->slots = number;
}

}  // namespace

BlockAllocator::Options EngineOptionsOf(const Arm& arm) {
  BlockAllocator::Options options;
  UnmapBatch::Options& batch = options.segments.batch;
  // What is freed is given back within the idle time.
  options.segments.bigcache.decay = absl::GetFlag(FLAGS_decay);
  batch.max_age = absl::GetFlag(FLAGS_batch_max_age);
  arm.configure(&options);

  SetSlots(absl::GetFlag(FLAGS_bigcache_slots), &options.segments.bigcache);
  const uint64_t threshold = absl::GetFlag(FLAGS_batch_threshold_bytes).bytes;
  if (threshold != 0) batch.threshold_bytes = threshold;
  const std::string drain = absl::GetFlag(FLAGS_batch);
  if (drain == "thread") batch.drain = Drain::kThread;
  if (drain == "inline" || drain == "off") batch.drain = Drain::kInline;
  if (drain == "off") batch.threshold_bytes = 0;
  for (const auto& [name, unmap] : Unmaps()) {
    if (absl::GetFlag(FLAGS_unmap) == name) batch.unmap = unmap;
  }
  if (const auto huge = absl::GetFlag(FLAGS_huge_pages)) {
    options.memory.huge_pages = *huge;
  }
  return options;
}

absl::Status CheckEngineFlags() {
  absl::Status status = CheckWord("batch", absl::GetFlag(FLAGS_batch),
                                  {"thread", "inline", "off"});
  std::vector<std::string> unmaps;
  for (const auto& [name, unmap] : Unmaps()) unmaps.push_back(name);
  status.Update(CheckWord("unmap", absl::GetFlag(FLAGS_unmap), unmaps));
  const std::string slots = absl::GetFlag(FLAGS_bigcache_slots);
  size_t number = 0;
  if (!slots.empty() && slots != kAdaptive &&
      !absl::SimpleAtoi(slots, &number)) {
    status.Update(absl::InvalidArgumentError(absl::StrCat(
        "--bigcache_slots=", slots, " is neither a number nor ", kAdaptive)));
  }
  return status;
}

absl::Status CheckWord(absl::string_view flag, const std::string& value,
                       const std::vector<std::string>& words) {
  if (value.empty() ||
      std::find(words.begin(), words.end(), value) != words.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag, "=", value, " is none of ", absl::StrJoin(words, ", ")));
}

}  // namespace warmpool::bench
