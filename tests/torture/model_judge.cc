// What the model finds wrong once the pipes of all clients have been read.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/torture/handovers.h"
#include "tests/torture/model.h"

namespace warmpool::torture {

std::optional<std::string> Model::Judge() {
  const auto found = std::exchange(found_, {});
  const auto not_found = std::exchange(not_found_, {});
  for (const auto& [client, report] : found) {
    if (Verdict verdict = JudgeFound(client, report)) return verdict;
  }
  for (const auto& [client, request] : not_found) {
    if (Verdict verdict = JudgeNotFound(client, request)) return verdict;
  }
  return hand_overs_->Judge();
}

Model::Verdict Model::JudgeFound(int client, const Report& report) const {
  Verdict holder = WhoHas(report.lease);
  if (!holder) holder = hand_overs_->WhoKeeps(report.lease, report.time);
  if (!holder.has_value()) return std::nullopt;
  return absl::StrCat("client ", client, " was granted pages with the stamps ",
                      "of lease ", report.lease.ToHex(), ", which ", *holder,
                      " has");
}

Model::Verdict Model::JudgeNotFound(int client, const Request& request) const {
  const auto owner = leases_.find(request.stamper);
  if (owner == leases_.end() || owner->second.phase != Phase::kHeld ||
      MayHaveExpired(owner->second, absl::InfiniteFuture())) {
    return std::nullopt;
  }
  return absl::StrCat("client ", client,
                      " can't attach to the buffer of lease ",
                      request.stamper.ToHex(), ", which client ",
                      owner->second.client, " holds");
}

Model::Verdict Model::WhoHas(const RandomId& stamper) const {
  for (const auto& [id, lease] : leases_) {
    // While it stamps what it claimed, the pages have either stamp.
    const bool has = lease.stamper == stamper || id == stamper;
    if (has && lease.phase == Phase::kHeld) {
      return absl::StrCat("client ", lease.client, " (lease ", id.ToHex(), ")");
    }
  }
  if (forks_.contains(stamper)) return "a forked child";
  return std::nullopt;
}

}  // namespace warmpool::torture
