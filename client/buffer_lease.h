// Buffer::Lease: what a Buffer holds: the lease and its mapping.
//
// Not thread-safe. Invariant: a lease whose mapping ends is released next, in
// this order, or the daemon would find the segment still in use.
#ifndef WARMPOOL_CLIENT_BUFFER_LEASE_H_
#define WARMPOOL_CLIENT_BUFFER_LEASE_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/buffer.h"
#include "client/connection.h"
#include "core/memory/segment.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

struct Buffer::Lease {
  // Maps the segment of `granted`; if it can't, releases the lease.
  static absl::StatusOr<std::unique_ptr<Lease>> Map(
      std::shared_ptr<Connection> connection, v1::GrantedLease granted);

  // Unmaps and releases. In a forked child it only unmaps, and returns
  // FAILED_PRECONDITION: the lease is the parent's. To be called once, before
  // the lease is destroyed.
  absl::Status End();

  std::shared_ptr<Connection> connection;
  v1::GrantedLease granted;
  Segment segment;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_BUFFER_LEASE_H_
