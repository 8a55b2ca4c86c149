// Holders: the client processes that have leases.
//
// Plain values.
#ifndef WARMPOOL_CORE_LEASE_HOLDER_H_
#define WARMPOOL_CORE_LEASE_HOLDER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace warmpool {

// Names a holder within one daemon's life; never given twice.
using HolderId = uint64_t;

// A process as people know it.
struct Process {
  pid_t pid = 0;
  uid_t uid = 0;
  // Command name as the kernel tells it; empty if not known.
  std::string command;
};

// A client process.
struct Holder {
  Process process() const { return {pid, uid, command}; }

  HolderId id = 0;
  pid_t pid = 0;
  uid_t uid = 0;
  // Command name as the kernel tells it; empty if not known.
  std::string command;
  // May see and end what other holders have.
  bool admin = false;
  // Tells the process from every other that has had or will have its pid since
  // the machine started: the inode of its pidfd (Linux 6.9), or its start time.
  // 0: not known, so that no later daemon can recognise it.
  uint64_t instance = 0;
  // Its groups, where they are known.
  std::vector<gid_t> gids = {};
};

// What a holder has.
struct HolderUsage {
  Holder holder;
  size_t leases = 0;
  // Of their segments. Where several leases are on one segment, each counts.
  uint64_t bytes = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_LEASE_HOLDER_H_
