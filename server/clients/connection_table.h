// ConnectionTable: whose each connection is, by the number of its descriptor,
// which is what gRPC calls its peers by; and how many each uid has.
//
// A connection is over when either end has shut it down. Its entry outlives
// that: gRPC keeps the descriptor for as long as a call of the connection is
// being served (gRPC 1.51, chttp2_transport.cc: the transport closes it, and
// each stream holds the transport), so a number can't come back while it could
// be mistaken. The entry goes once the number is seen to be free or another's.
//
// Externally synchronised.
// Invariants: a uid's count is that of its connections that are not over; of
// those, and of no others, a descriptor to watch is kept.
#ifndef WARMPOOL_SERVER_CLIENTS_CONNECTION_TABLE_H_
#define WARMPOOL_SERVER_CLIENTS_CONNECTION_TABLE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "core/base/unique_fd.h"
#include "core/lease/lease.h"

namespace warmpool {

class ConnectionTable {
 public:
  // Names a connection; never given twice, never 0.
  using Serial = uint64_t;

  explicit ConnectionTable(size_t max_per_uid) : max_per_uid_(max_per_uid) {}

  // RESOURCE_EXHAUSTED, naming uid and limit: it may not have one more.
  absl::Status CheckRoom(uid_t uid) const;

  // The connection of that number, if it is not known to be over.
  std::optional<Serial> OpenAt(int number) const;

  // Adds the connection whose descriptor is `number`, to be closed by gRPC.
  // REQUIRES: OpenAt has none there. A number that comes back was free, so its
  // former connection is over, and whoever counts on it must hear of that.
  // `watch` is a duplicate of it, kept until the connection is over.
  Serial Add(int number, HolderId holder, uid_t uid, UniqueFd watch);

  struct Ended {
    HolderId holder;
    // What Add was given.
    UniqueFd watch;
  };
  // The connection is over; nullopt: it was so already.
  std::optional<Ended> End(Serial serial);

  // Whose it is or, until its number is free, was.
  std::optional<HolderId> Find(int number) const;

  // Drops entries of connections that are over and whose number is free. Looks
  // at a few at a time: call it wherever some may be.
  void ForgetClosed();

  // Shuts down (shutdown(2)) all that are not over. What was sent arrives.
  void ShutDownAll() const;

  size_t CountOf(uid_t uid) const;
  // Entries, those of connections that are over included.
  size_t size() const { return connections_.size(); }

  void CheckInvariants() const;

 private:
  struct Connection {
    Serial serial = 0;
    HolderId holder = 0;
    uid_t uid = 0;
    // Invalid: the connection is over.
    UniqueFd watch;
    ino_t inode = 0;
  };

  const size_t max_per_uid_;
  Serial last_serial_ = 0;
  absl::flat_hash_map<int, Connection> connections_;
  // The numbers of those that are not over.
  absl::flat_hash_map<Serial, int> open_;
  // Those that are over, some of them forgotten.
  struct Closing {
    int number;
    Serial serial;
  };
  std::deque<Closing> closing_;
  absl::flat_hash_map<uid_t, size_t> counts_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_CONNECTION_TABLE_H_
