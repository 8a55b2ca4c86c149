#include "core/book/holder_table.h"

#include <tuple>

#include "core/base/check.h"

namespace warmpool {

bool HolderTable::Add(Holder holder) {
  const auto known = holders_.find(holder.id);
  if (known != holders_.end()) {
    known->second.holder.gids = std::move(holder.gids);
    return false;
  }
  const HolderId id = holder.id;
  by_pid_.emplace(holder.pid, id);
  holders_.emplace(id, Entry{std::move(holder), {}});
  return true;
}

void HolderTable::Remove(HolderId id) {
  const auto it = holders_.find(id);
  WARMPOOL_CHECK(it->second.leases.empty(), "a holder leaves its leases");
  by_pid_.erase(std::make_pair(it->second.holder.pid, id));
  holders_.erase(it);
}

const Holder* HolderTable::Find(HolderId id) const {
  const auto it = holders_.find(id);
  return it == holders_.end() ? nullptr : &it->second.holder;
}

void HolderTable::AddLease(const LeaseEntry& lease) {
  Entry& entry = holders_.at(lease.holder);
  entry.leases.insert(KeyOf(lease));
  entry.bytes += lease.buffer->segment.bytes();
}

void HolderTable::RemoveLease(const LeaseEntry& lease) {
  Entry& entry = holders_.at(lease.holder);
  entry.leases.erase(KeyOf(lease));
  entry.bytes -= lease.buffer->segment.bytes();
}

bool HolderTable::HasLeases(HolderId id) const {
  const auto it = holders_.find(id);
  return it != holders_.end() && !it->second.leases.empty();
}

std::vector<LeaseId> HolderTable::LeasesOf(HolderId id, size_t most,
                                           const LeasePlace& after) const {
  std::vector<LeaseId> ids;
  const auto holder = holders_.find(id);
  if (holder == holders_.end()) return ids;
  const LeasesByBuffer& leases = holder->second.leases;
  for (auto it = leases.upper_bound({after.uid, after.name, after.id});
       it != leases.end() && ids.size() < most; ++it) {
    ids.push_back(std::get<LeaseId>(*it));
  }
  return ids;
}

std::vector<const LeasesByBuffer*> HolderTable::LeasesOfPid(pid_t pid) const {
  std::vector<const LeasesByBuffer*> leases;
  for (auto it = by_pid_.lower_bound({pid, 0});
       it != by_pid_.end() && it->first == pid; ++it) {
    leases.push_back(&holders_.at(it->second).leases);
  }
  return leases;
}

bool HolderTable::AddUsages(size_t most, HolderId* after,
                            std::vector<HolderUsage>* usages) const {
  auto it = holders_.upper_bound(*after);
  for (size_t i = 0; i < most && it != holders_.end(); ++i, ++it) {
    const auto& [id, entry] = *it;
    *after = id;
    if (entry.leases.empty()) continue;
    usages->push_back({entry.holder, entry.leases.size(), entry.bytes});
  }
  return it != holders_.end();
}

void HolderTable::CheckLease(const LeaseEntry& lease) const {
  WARMPOOL_CHECK(holders_.at(lease.holder).leases.contains(KeyOf(lease)),
                 "a lease that its holder does not know");
}

void HolderTable::CheckInvariants(
    size_t leases, absl::FunctionRef<uint64_t(const LeaseId&)> bytes_of) const {
  size_t held = 0;
  for (const auto& [id, entry] : holders_) {
    held += entry.leases.size();
    uint64_t bytes = 0;
    for (const auto& key : entry.leases) bytes += bytes_of(std::get<2>(key));
    WARMPOOL_CHECK(bytes == entry.bytes, "a holder's bytes do not add up");
    WARMPOOL_CHECK(by_pid_.contains(std::make_pair(entry.holder.pid, id)),
                   "a holder that its pid does not lead to");
  }
  WARMPOOL_CHECK(held == leases, "holders and leases disagree");
  WARMPOOL_CHECK(holders_.size() == by_pid_.size(), "pid of no holder");
}

}  // namespace warmpool
