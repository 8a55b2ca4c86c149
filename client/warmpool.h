// The client library of Warmpool: leases on named shared-memory buffers.
//
//   absl::StatusOr<warmpool::Client> client =
//       warmpool::Client::Connect("unix:/run/warmpool/warmpool.sock");
//   absl::StatusOr<warmpool::Buffer> frame = client->Lease(2 << 20);
//   std::memset(frame->data(), 0, frame->size());
//
// Everything returns absl::Status; every call has a deadline. A Client may be
// shared by threads. A Buffer belongs to one thread at a time, and may outlive
// the Client that leased it. Neither may be used in a forked child: the
// daemon knows the parent as the holder.
#ifndef WARMPOOL_CLIENT_WARMPOOL_H_
#define WARMPOOL_CLIENT_WARMPOOL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/buffer.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

struct ClientOptions {
  // Of every call, connecting to a daemon that is starting included.
  absl::Duration deadline = absl::Seconds(10);
  // Leases with a finite time to live are renewed by a thread of the library
  // while the process runs; off, their owner calls Renew.
  bool renew_leases = true;
};

struct LeaseOptions {
  // Letters, digits and "._-/", up to 128 bytes. nullopt: the daemon makes a
  // name up.
  std::optional<std::string> name;
  // nullopt: the daemon's default. Zero: as long as this process lives.
  std::optional<absl::Duration> ttl;
  // Every byte must read as zero; otherwise a warm buffer has old bytes.
  bool zeroed = false;
};

struct AttachOptions {
  std::optional<absl::Duration> ttl;
  // Read and write; the holders bring their own synchronisation.
  bool writable = false;
};

class Client {
 public:
  // `target` is "unix:PATH" or "unix:///PATH". UNAVAILABLE: no daemon answers
  // there within the deadline.
  static absl::StatusOr<Client> Connect(const std::string& target,
                                        ClientOptions options = {});
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // A writable buffer of at least `bytes` bytes, mapped. INVALID_ARGUMENT: the
  // size, name or ttl. ALREADY_EXISTS: the name is taken. RESOURCE_EXHAUSTED:
  // the machine is full; the message tells the bytes free.
  absl::StatusOr<Buffer> Lease(uint64_t bytes, LeaseOptions options = {});

  // Another holder's named buffer, read-only unless asked otherwise.
  // NOT_FOUND: no buffer has that name.
  absl::StatusOr<Buffer> Attach(const std::string& name,
                                AttachOptions options = {});

  absl::StatusOr<v1::GetStatsResponse> GetStats();

  // Calls `on_stats` with the daemon's statistics every `interval` until it
  // returns false (OK) or the daemon goes away (its status).
  absl::Status WatchStats(
      absl::Duration interval,
      const std::function<bool(const v1::GetStatsResponse&)>& on_stats);

  // All buffers that this process may see; asks page by page. Of `filter`, the
  // paging fields are ignored.
  absl::StatusOr<std::vector<v1::Buffer>> ListBuffers(
      v1::ListBuffersRequest filter = {});

  // Ends another holder's lease. Only for uid 0 and the daemon's uid.
  absl::Status Revoke(const std::string& lease_id);

  // Drains and stops the daemon. Only for uid 0 and the daemon's uid.
  absl::StatusOr<v1::ShutdownResponse> Shutdown(bool revoke);

 private:
  explicit Client(std::shared_ptr<class Connection> connection);

  std::shared_ptr<class Connection> connection_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_WARMPOOL_H_
