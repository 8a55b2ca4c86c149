#include "tests/torture/model/comparison.h"

#include "absl/strings/str_cat.h"
#include "tests/torture/model/handovers.h"

namespace warmpool::torture {
namespace {

// Quarantined segments are probed every second at the longest.
constexpr absl::Duration kProbePause = absl::Seconds(1);

}  // namespace

template <typename... Parts>
void Model::Comparison::Add(const std::string& key, const Parts&... parts) {
  problems_.push_back({key, absl::StrCat(parts...), kSlack});
}

std::vector<Model::Problem> Model::Problems(const Snapshot& snapshot,
                                            absl::Time now) const {
  Comparison comparison(*this, snapshot, now);
  comparison.CheckListed();
  comparison.CheckHeld();
  comparison.CheckHandedOver();
  comparison.CheckAccount();
  comparison.CheckQuarantine();
  return std::move(comparison).problems();
}

void Model::Comparison::CheckListed() {
  for (const Listed& listed : snapshot_.leases) {
    if (listed.kind != Listed::Kind::kHeld) continue;
    const auto known = model_.leases_.find(listed.id);
    if (known != model_.leases_.end()) {
      CheckKnown(listed, known->second);
    } else if (model_.released_.contains(listed.id)) {
      Add(listed.id.ToHex(), "lease ", listed.id.ToHex(), " of pid ",
          listed.pid, " was released, and the daemon has it");
    } else {
      CheckUnknown(listed);
    }
  }
}

void Model::Comparison::CheckKnown(const Listed& listed, const Lease& lease) {
  const Client& client = model_.clients_.at(lease.client);
  const std::string name =
      absl::StrCat("lease ", listed.id.ToHex(), " of client ", lease.client);
  if (listed.pid != client.pid) {
    Add(listed.id.ToHex(), name, " (pid ", client.pid,
        "): the daemon says pid ", listed.pid);
  }
  const bool own = lease.stamper == listed.id;
  if (listed.generation != lease.generation ||
      (own && listed.bytes != lease.bytes)) {
    Add(listed.id.ToHex(), name, " has generation ", lease.generation, " and ",
        lease.bytes, " bytes; the daemon says ", listed.generation, " and ",
        listed.bytes);
  }
  const bool leaving =
      lease.phase == Phase::kReleasing || lease.phase == Phase::kGiving;
  if (leaving && !client.Stopped()) {
    Add(listed.id.ToHex(), name,
        " is being released or given by a client that does nothing");
  }
  const bool unattended = lease.phase == Phase::kUnreleased ||
                          (lease.phase == Phase::kHeld && !lease.renewed);
  if (unattended && now_ > model_.MustBeGone(lease.last_sign, lease.ttl)) {
    Add(listed.id.ToHex(), name,
        ", which nobody renews, outlives its time to live of ",
        absl::FormatDuration(lease.ttl));
  }
}

void Model::Comparison::CheckUnknown(const Listed& listed) {
  const auto client = model_.client_of_pid_.find(listed.pid);
  if (client == model_.client_of_pid_.end()) {
    Add(listed.id.ToHex(), "lease ", listed.id.ToHex(), " of pid ", listed.pid,
        ", which is no client");
  } else if (!model_.clients_.at(client->second).alive) {
    Add(listed.id.ToHex(), "lease ", listed.id.ToHex(), " of client ",
        client->second, " (pid ", listed.pid, "), which is dead");
  } else if (!WasAskedFor(client->second, listed)) {
    Add(listed.id.ToHex(), "lease ", listed.id.ToHex(), " of client ",
        client->second, " (pid ", listed.pid, "), which did not ask for these ",
        listed.bytes, " bytes or has given up waiting for them long ago");
  }
}

bool Model::Comparison::WasAskedFor(int client, const Listed& listed) {
  const Client& asker = model_.clients_.at(client);
  for (const auto& [number, request] : asker.requests) {
    if (request.bytes != 0 && request.bytes != listed.bytes) continue;
    if (request.deed == Deed::kSeal || request.deed == Deed::kTicket) continue;
    const bool possible =
        request.unanswered.has_value()
            ? now_ <= model_.MustBeGone(*request.unanswered, request.ttl)
            : asker.Stopped();
    if (possible && requests_granted_.emplace(client, number).second) {
      return true;
    }
  }
  return false;
}

void Model::Comparison::CheckHeld() {
  absl::flat_hash_set<RandomId> listed;
  for (const Listed& lease : snapshot_.leases) listed.insert(lease.id);
  for (const auto& [id, lease] : model_.leases_) {
    if (lease.phase != Phase::kHeld) continue;
    const Client& client = model_.clients_.at(lease.client);
    if (!listed.contains(id)) {
      if (model_.MayHaveExpired(lease, now_)) continue;
      Add(id.ToHex(), "lease ", id.ToHex(), " of client ", lease.client,
          " (pid ", client.pid, ", ttl ", absl::FormatDuration(lease.ttl), ", ",
          lease.renewed ? "" : "not ", "renewed, asked for ",
          absl::FormatDuration(now_ - lease.asked),
          " ago) is not among the daemon's");
    } else if (BytesOf(lease.inode) < lease.bytes) {
      Add(id.ToHex(), "lease ", id.ToHex(), " of client ", lease.client,
          ": its file has ", BytesOf(lease.inode), " of ", lease.bytes,
          " bytes in the directory");
    }
  }
}

void Model::Comparison::CheckHandedOver() {
  for (const Problem& problem :
       model_.hand_overs_->Problems(snapshot_.leases, now_)) {
    problems_.push_back(problem);
  }
}

void Model::Comparison::CheckAccount() {
  const Snapshot::Account& account = snapshot_.account;
  if (account.leased != snapshot_.listed_bytes) {
    Add("leased", "the daemon accounts ", account.leased,
        " bytes as leased and lists ", snapshot_.listed_bytes);
  }
  // What was taken over may exceed the capacity.
  const uint64_t free =
      account.Used() < account.capacity ? account.capacity - account.Used() : 0;
  if (account.free != free) {
    Add("free", "of ", account.capacity, " bytes ", account.Used(),
        " are used, and the daemon says that ", account.free, " are free");
  }
  uint64_t directory = 0;
  for (const auto& [inode, bytes] : snapshot_.files) directory += bytes;
  // What is batched loses its name first and its pages later, when nobody else
  // wants the processor.
  if (directory > account.Used() ||
      directory + account.batched < account.Used()) {
    Add("directory", "the directory has ", directory,
        " bytes, the daemon accounts for ", account.Used(), ": leased ",
        account.leased, ", retained ", account.retained, ", batched ",
        account.batched, ", stock ", account.stock, ", quarantined ",
        account.quarantined, ", overhead ", account.overhead);
  }
}

void Model::Comparison::CheckQuarantine() {
  absl::flat_hash_set<uint64_t> leased;
  for (const Listed& lease : snapshot_.leases) {
    const auto file = model_.files_.find(lease.generation);
    if (file != model_.files_.end()) leased.insert(file->second.inode);
  }
  absl::flat_hash_set<pid_t> stopped;
  for (const auto& [number, client] : model_.clients_) {
    if (client.alive && client.Stopped()) stopped.insert(client.pid);
  }
  // By inode: whether somebody has it mapped of whom everything is known.
  absl::flat_hash_map<uint64_t, bool> unleased;
  for (const Snapshot::Mapping& mapping : snapshot_.mappings) {
    if (mapping.deleted) {
      Add("unlinked", "pid ", mapping.pid,
          " has a file mapped that was unlinked");
    }
    if (leased.contains(mapping.inode)) continue;
    unleased[mapping.inode] |= !stopped.contains(mapping.pid);
  }
  uint64_t at_least = 0;
  uint64_t at_most = 0;
  for (const auto& [inode, certain] : unleased) {
    at_most += BytesOf(inode);
    if (certain) at_least += BytesOf(inode);
  }
  const uint64_t quarantined = snapshot_.account.quarantined;
  if (quarantined < at_least || quarantined > at_most) {
    // With the mappings the wait for the next probe begins anew.
    Add(absl::StrCat("quarantined ", at_least, " ", at_most), quarantined,
        " bytes are quarantined; ", at_least, " to ", at_most,
        " are mapped without a lease");
    problems_.back().patience = kProbePause + kSlack;
  }
}

uint64_t Model::Comparison::BytesOf(uint64_t inode) const {
  const auto found = snapshot_.files.find(inode);
  return found == snapshot_.files.end() ? 0 : found->second;
}

}  // namespace warmpool::torture
