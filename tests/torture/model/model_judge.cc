// What the model finds wrong with a report.
#include "absl/strings/str_cat.h"
#include "tests/torture/model/handovers.h"
#include "tests/torture/model/model.h"

namespace warmpool::torture {

Model::Verdict Model::JudgeFound(int client, const Report& report) const {
  Verdict holder = WhoHas(report.lease);
  if (!holder) holder = hand_overs_->WhoKeeps(report.lease, report.time);
  if (!holder.has_value()) return std::nullopt;
  return absl::StrCat("client ", client, " was granted pages with the stamps ",
                      "of lease ", report.lease.ToHex(), ", which ", *holder,
                      " has");
}

Model::Verdict Model::JudgeFile(int client, const Report& report) const {
  for (const auto& [id, lease] : leases_) {
    // Whoever attached to a buffer shares its generation.
    if (report.inode == 0 || lease.inode != report.inode ||
        lease.generation == report.generation || lease.phase != Phase::kHeld) {
      continue;
    }
    return absl::StrCat("client ", client, " was granted, as lease ",
                        report.lease.ToHex(), ", the file of lease ",
                        id.ToHex(), ", which client ", lease.client, " has");
  }
  const auto known = files_.find(report.generation);
  if (known == files_.end() || (known->second.inode == report.inode &&
                                known->second.bytes == report.bytes)) {
    return std::nullopt;
  }
  return absl::StrCat("client ", client, " was granted generation ",
                      report.generation, ", which is inode ",
                      known->second.inode, " with ", known->second.bytes,
                      " bytes, and has ", report.ToLine());
}

Model::Verdict Model::JudgeNotFound(int client, const Request& request,
                                    absl::Time answered) const {
  const auto owner = leases_.find(request.stamper);
  if (owner == leases_.end() || owner->second.phase != Phase::kHeld ||
      MayHaveExpired(owner->second, answered)) {
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
