#include "client/load/handoff/handoff_flags.h"

#include <cstdint>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "client/load/handoff/pattern.h"
#include "core/base/status_macros.h"

ABSL_FLAG(std::optional<int>, pairs, std::nullopt,
          "For handoff: pairs of processes, a producer and a consumer each. "
          "Default: 1");
ABSL_FLAG(std::optional<warmpool::Vias>, via, std::nullopt,
          "For handoff: how bytes are handed over, compared in one run; names "
          "between commas. warmpool: a sealed buffer, whose name the consumer "
          "waits for. warmpool_ticket: a buffer, claimed with a ticket that a "
          "message brings. warmpool_channel: a buffer that both have mapped, "
          "and a message says whose turn it is. grpc_unary: the bytes in one "
          "message. grpc_stream: "
          "the bytes in messages of 1 MiB. Default: all");
ABSL_FLAG(std::optional<uint64_t>, spoil_round, std::nullopt,
          "Internal: producers spoil a byte in this round");
ABSL_FLAG(std::optional<warmpool::HandoffRole>, handoff_role, std::nullopt,
          "Internal: run as this process of a pair");

namespace warmpool {
namespace {

// More are a typing error rather than a wish.
constexpr int kMaxPairs = 1000;

absl::Status NotForHandoff(absl::string_view flag) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag,
      " is not for the scenario handoff: it has --pairs of "
      "processes, each with one buffer at a time, as fast as it goes, and "
      "writes and checks 8 bytes in each 4 KiB"));
}

absl::Status CheckOthers(const LoadOptions& load) {
  const LoadOptions defaults;
  if (load.clients != defaults.clients) return NotForHandoff("clients");
  if (load.processes) return NotForHandoff("processes");
  if (load.leases_per_second > 0) return NotForHandoff("rate");
  if (load.touch != defaults.touch) return NotForHandoff("touch");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HandoffOptions> HandoffFlags(const LoadOptions& load) {
  RETURN_IF_ERROR(CheckOthers(load));
  const uint64_t bytes = load.scenario.size_bytes;
  if (bytes == 0 || bytes % kPatternPage != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--size=", bytes, " is not a whole number of pages of ",
                     kPatternPage, " bytes, each of which is checked"));
  }
  HandoffOptions options;
  options.pairs = absl::GetFlag(FLAGS_pairs).value_or(1);
  if (options.pairs < 1 || options.pairs > kMaxPairs) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--pairs=", options.pairs, " is outside of 1 to ", kMaxPairs));
  }
  options.vias = absl::GetFlag(FLAGS_via).value_or(AllVias());
  options.target = load.target;
  options.deadline = load.deadline;
  options.lease_cache = load.lease_cache;
  options.busy_poll = load.busy_poll;
  options.bytes = bytes;
  options.rounds = load.scenario.leases;
  options.duration = load.duration;
  options.seed = load.seed;
  options.spoiled_round = absl::GetFlag(FLAGS_spoil_round);
  return options;
}

absl::Status CheckNoHandoffFlags() {
  const auto only_for_handoff = [](absl::string_view flag) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, " is for the scenario handoff only"));
  };
  if (absl::GetFlag(FLAGS_pairs).has_value()) return only_for_handoff("pairs");
  if (absl::GetFlag(FLAGS_via).has_value()) return only_for_handoff("via");
  return absl::OkStatus();
}

std::optional<HandoffRole> HandoffRoleFlag() {
  return absl::GetFlag(FLAGS_handoff_role);
}

}  // namespace warmpool
