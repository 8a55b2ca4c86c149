#include "tests/torture/model/snapshot_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace warmpool::torture {
namespace {

namespace fs = std::filesystem;

Snapshot::Account ToAccount(const v1::ByteAccount& bytes) {
  return {.capacity = bytes.capacity_bytes(),
          .leased = bytes.leased_bytes(),
          .retained = bytes.retained_bytes(),
          .batched = bytes.batched_bytes(),
          .stock = bytes.stock_bytes(),
          .quarantined = bytes.quarantined_bytes(),
          .overhead = bytes.overhead_bytes(),
          .free = bytes.free_bytes()};
}

// stat(2) counts in these, whatever a block is.
constexpr uint64_t kStatBlock = 512;

void FindFiles(const std::string& directory, Snapshot* snapshot) {
  // Files come and go meanwhile.
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end;
       !error && entry != end; entry.increment(error)) {
    struct stat file;
    if (lstat(entry->path().c_str(), &file) < 0 || !S_ISREG(file.st_mode)) {
      continue;
    }
    snapshot->files[file.st_ino] =
        static_cast<uint64_t>(file.st_blocks) * kStatBlock;
  }
}

// Of one process: lines such as "7f00-7f10 rw-s 00000000 00:2a 1234
// /dev/shm/x".
void FindMappings(pid_t pid, const std::string& directory, Snapshot* snapshot) {
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  for (std::string line; std::getline(maps, line);) {
    const size_t path = line.find(directory + "/");
    if (path == std::string::npos) continue;
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits(' ', 5), absl::SkipEmpty());
    Snapshot::Mapping mapping{.pid = pid};
    if (fields.size() < 6 || !absl::SimpleAtoi(fields[4], &mapping.inode)) {
      continue;
    }
    mapping.deleted = absl::EndsWith(line, " (deleted)");
    snapshot->mappings.push_back(mapping);
  }
}

// 0: it is gone.
pid_t ParentOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  // "PID (COMMAND) STATE PARENT ...", and the command may have anything in it.
  const size_t command_end = stat.rfind(") ");
  if (command_end == std::string::npos) return 0;
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(command_end + 2), ' ');
  pid_t parent = 0;
  // A zombie has nothing any more.
  if (fields.size() < 2 || fields[0] == "Z" ||
      !absl::SimpleAtoi(fields[1], &parent)) {
    return 0;
  }
  return parent;
}

Snapshot::Lease::Kind KindOf(const v1::BufferLease& lease) {
  switch (lease.state()) {
    case v1::LEASE_STATE_TICKET: return Snapshot::Lease::Kind::kTicket;
    case v1::LEASE_STATE_LINGERING: return Snapshot::Lease::Kind::kLingering;
    default: return Snapshot::Lease::Kind::kHeld;
  }
}

}  // namespace

std::vector<pid_t> Descendants() {
  std::map<pid_t, pid_t> parents;
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::directory_iterator("/proc", error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    if (const pid_t parent = ParentOf(pid)) parents[pid] = parent;
  }
  std::vector<pid_t> descendants;
  for (const auto& [pid, parent] : parents) {
    pid_t ancestor = parent;
    while (ancestor != getpid() && parents.contains(ancestor)) {
      ancestor = parents[ancestor];
    }
    if (ancestor == getpid()) descendants.push_back(pid);
  }
  return descendants;
}

absl::StatusOr<std::vector<Snapshot::Lease>> ListLeases(
    AdminCalls& admin, uint64_t* listed_bytes) {
  const absl::StatusOr<std::vector<v1::Buffer>> buffers = admin.ListBuffers();
  if (!buffers.ok()) return buffers.status();
  std::vector<Snapshot::Lease> leases;
  for (const v1::Buffer& buffer : *buffers) {
    if (listed_bytes != nullptr) *listed_bytes += buffer.mapped_bytes();
    for (const v1::BufferLease& lease : buffer.leases()) {
      leases.push_back(
          {.kind = KindOf(lease),
           .id = RandomId::FromBytes(lease.lease_id()).value_or(RandomId()),
           .pid = lease.pid(),
           .generation = buffer.generation(),
           .bytes = buffer.size_bytes()});
    }
  }
  return leases;
}

absl::StatusOr<Snapshot> TakeSnapshot(AdminCalls& admin, pid_t daemon,
                                      const std::string& directory) {
  Snapshot snapshot;
  absl::StatusOr<std::vector<Snapshot::Lease>> leases =
      ListLeases(admin, &snapshot.listed_bytes);
  if (!leases.ok()) return leases.status();
  snapshot.leases = *std::move(leases);
  const absl::StatusOr<v1::GetStatsResponse> stats = admin.GetStats();
  if (!stats.ok()) return stats.status();
  snapshot.account = ToAccount(stats->bytes());
  FindFiles(directory, &snapshot);
  for (const pid_t pid : Descendants()) {
    if (pid != daemon) FindMappings(pid, directory, &snapshot);
  }
  return snapshot;
}

}  // namespace warmpool::torture
