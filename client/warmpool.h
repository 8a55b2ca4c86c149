// The client library of Warmpool: leases on named shared-memory buffers.
//
//   absl::StatusOr<warmpool::Client> client =
//       warmpool::Client::Connect("unix:/run/warmpool/warmpool.sock");
//   absl::StatusOr<warmpool::Buffer> frame = client->Lease(2 << 20);
//   std::memset(frame->data(), 0, frame->size());
//
// Everything returns absl::Status; every call has a deadline, until which it
// also waits for a daemon that is restarting.
// UNAVAILABLE: no daemon answered, or it drains until then; DEADLINE_EXCEEDED:
// it is there, but silent. A lost connection is made up for: the call is
// repeated.
//
// A daemon that restarts, in order or killed, costs no lease: buffers stay
// mapped and valid all the while, and once it is back the library states by
// itself which leases it has, and has those released whose grant was lost on
// the way or given up at its deadline. Should the daemon not take a lease up
// again (its directory was removed, or its time to live ran out meanwhile),
// Buffer::Renew tells; the bytes stay mapped, but the name is gone, and others
// can't attach any more.
//
// A buffer that is given back stays with the process for a while, leased,
// mapped and warm, and the next Lease of its size takes it without asking the
// daemon: see ClientOptions::lease_cache_bytes. So Lease without a name, a ttl
// and zeroed is what is fast, where the same sizes are leased again and again.
//
// A Client may be shared by threads. A Buffer belongs to one thread at a time,
// and may outlive the Client that leased it.
//
// A process that forks keeps its leases, and its child has none: the daemon
// knows the parent as the holder. In the child every call returns
// FAILED_PRECONDITION, and destroying a Buffer unmaps it and does no more.
// Fork before connecting: gRPC can't be used in the child afterwards. See
// ClientOptions::inherit_on_fork.
//
// The library's threads block all signals, gRPC's included: the program's own
// threads get them. All threads are made by Connect, or by the first call of a
// kind. Where the system has no thread, address space or mapping left, calls
// return RESOURCE_EXHAUSTED, and the message names the limit and the remedy.
// Not covered: where malloc itself fails, the C++ library throws
// std::bad_alloc, and gRPC and protobuf abort.
#ifndef WARMPOOL_WARMPOOL_H_
#define WARMPOOL_WARMPOOL_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "warmpool/buffer.h"
#include "warmpool/channel.h"

namespace warmpool {

class Connection;
class LeaseCache;
struct HeldLease;

struct ClientOptions {
  // Of every call, Connect included.
  absl::Duration deadline = absl::Seconds(10);
  // Leases with a finite time to live are renewed by a thread of the library
  // while the process runs; off, their owner calls Renew.
  bool renew_leases = true;
  // Bytes of released buffers that the client keeps for its next leases; 0:
  // none, and every release goes to the daemon. A thread has a 1/32 of them to
  // itself, without a lock (a buffer of up to a 1/64, two of the half of that;
  // by default 4 MiB and 2 MiB); a half serves all threads. Other processes
  // can't use what is kept: those that seldom lease the same size again should
  // keep nothing. The daemon asks for it back when memory is short. Kept only
  // while leases are renewed or have no finite time to live.
  uint64_t lease_cache_bytes = uint64_t{256} << 20;
  // What nobody leased for so long goes back to the daemon. 40 ms at least.
  absl::Duration lease_cache_idle = absl::Seconds(2);
  // A size that the cache misses twice within 20 ms gets more of what the
  // daemon has ready into it, in the background: as many as it missed, and
  // fewer where such went unused. Off: the cache keeps what was released, and
  // no more.
  bool prefetch = true;
  // A call that goes to the daemon asks the kernel for its answer again and
  // again for so long before it sleeps. With the daemon's --busy_poll a call
  // takes half the time, for a core that is busy meanwhile. 50 us is plenty;
  // zero: off.
  absl::Duration busy_poll = absl::ZeroDuration();
  // Besides root and this process's own, the uid whose daemon is trusted. A
  // daemon says which files are to be written to, and any process may bind a
  // socket.
  std::optional<uid_t> daemon_uid = std::nullopt;
  // Whether processes that this one forks have its buffers mapped, too, and may
  // go on reading and writing them. They keep the memory: what the parent gives
  // back is set aside, and counts for its user, until its children have exec'ed
  // or ended. Off: a child that touches a buffer of its parent's gets a
  // SIGSEGV, and keeps nothing. For processes whose children live long and need
  // no buffers. A fork by another thread while a buffer is being mapped or
  // sealed may come before the kernel is told: that child keeps the buffer
  // mapped.
  bool inherit_on_fork = true;
  // Whether core dumps have the bytes of buffers, as far as coredump_filter
  // says so (core(5): by default those that have lost their names). Off: never.
  bool core_dumps = false;
};

struct LeaseOptions {
  // Letters, digits and "._-/", up to 128 bytes. nullopt: the daemon makes a
  // name up.
  std::optional<std::string> name = std::nullopt;
  // nullopt: the daemon's default. Zero: as long as this process lives.
  std::optional<absl::Duration> ttl = std::nullopt;
  // Every byte must read as zero; otherwise a warm buffer has old bytes.
  bool zeroed = false;
};

struct AttachOptions {
  std::optional<absl::Duration> ttl = std::nullopt;
  // Read and write a buffer that is not sealed; the holders bring their own
  // synchronisation.
  bool writable = false;
  // For how long to wait until the buffer is sealed (or, with `writable`, is
  // there), on top of the client's deadline. More than a day is
  // INVALID_ARGUMENT.
  absl::Duration wait = absl::ZeroDuration();
  // The uid that the buffer belongs to, if another shares it with this
  // process's.
  std::optional<uid_t> owner_uid = std::nullopt;
};

struct ClaimOptions {
  std::optional<absl::Duration> ttl = std::nullopt;
};

// What a client's lease cache has done and holds.
// Counts since the client connected. Only calls of Lease that could have been
// served from the cache count: no name, no ttl, not zeroed.
struct LeaseCacheStats {
  // Served without the daemon. A few may be missing where more than 16 threads
  // lease at once.
  uint64_t hits = 0;
  // The daemon was asked.
  uint64_t misses = 0;
  // Leases given back to the daemon because they were more than the cache
  // keeps, lay idle for too long, or were asked for.
  uint64_t released_surplus = 0;
  // Times that idle memory was asked for: by the daemon, or by a lease of this
  // process that found none.
  uint64_t trims = 0;

  // Leases that were asked for ahead of need, and those of them that went back
  // without having served one.
  uint64_t prefetched = 0;
  uint64_t prefetched_unused = 0;

  // At this moment: leases that nobody in the process uses, and the bytes of
  // their segments.
  uint64_t idle_leases = 0;
  uint64_t idle_bytes = 0;
};

class Client {
 public:
  // `target` is "unix:PATH" or "unix:///PATH"; anything else is
  // INVALID_ARGUMENT. A relative PATH counts from the working directory of this
  // moment, unless it is too long for a socket address then (107 bytes).
  // UNAVAILABLE: no daemon answers there within the deadline; the message tells
  // what is there instead. PERMISSION_DENIED: the daemon there does not serve
  // this user, or a process of another user listens there (see
  // ClientOptions::daemon_uid). RESOURCE_EXHAUSTED: this process gets too few
  // threads, or no descriptor. FAILED_PRECONDITION: PATH is relative to a
  // directory that was removed.
  static absl::StatusOr<Client> Connect(const std::string& target,
                                        ClientOptions options = {});
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // A writable buffer of at least `bytes` bytes, mapped. One from the lease
  // cache has old bytes, kWarm as warmth() and its old lease_id(); a name, a
  // ttl or zeroed come from the daemon always. INVALID_ARGUMENT: the size, name
  // or ttl. ALREADY_EXISTS: the name is taken. RESOURCE_EXHAUSTED: the machine
  // is full; the message tells the bytes free.
  absl::StatusOr<Buffer> Lease(uint64_t bytes, LeaseOptions options = {});

  // Another holder's named buffer, for reading, as soon as it is sealed.
  // NOT_FOUND: no buffer has that name, or none came in time.
  // DEADLINE_EXCEEDED: it is there, but was not sealed in time.
  // PERMISSION_DENIED: it is another uid's, and not shared with this one.
  // FAILED_PRECONDITION: `writable`, and it is sealed, or on its way to another
  // holder.
  absl::StatusOr<Buffer> Attach(const std::string& name,
                                AttachOptions options = {});

  // The same without sleeping, for who waits for many: `on_attached` is called
  // once, on a thread of the library or before this returns, and must not block
  // for long. CANCELLED: the client was destroyed meanwhile, which no callback
  // may do.
  void AttachAsync(const std::string& name, AttachOptions options,
                   std::function<void(absl::StatusOr<Buffer>)> on_attached);

  // The buffer that another process made a ticket of, writable. NOT_FOUND:
  // there is no such ticket. FAILED_PRECONDITION: it expired or was claimed, or
  // a process still has the buffer mapped, and then it stays good.
  absl::StatusOr<Buffer> Claim(const std::string& ticket,
                               ClaimOptions options = {});

  // Makes this process a member of a channel of its uid's; the first Lease or
  // Take asks the daemon. The channel may outlive the client. See
  // warmpool/channel.h.
  Channel OpenChannel(std::string name, ChannelOptions options = {});

  LeaseCacheStats lease_cache_stats() const;

 private:
  Client(std::shared_ptr<Connection> connection,
         std::shared_ptr<LeaseCache> lease_cache);

  absl::StatusOr<Buffer> LeaseFromDaemon(uint64_t bytes,
                                         const LeaseOptions& options);
  // The lease just granted, mapped; released if it can't be mapped.
  static absl::StatusOr<Buffer> MapBuffer(
      std::shared_ptr<Connection> connection, absl::StatusOr<HeldLease> held);
  // Gives back what is cached.
  void Close();

  // Both synchronised by themselves, and shared with the buffers.
  std::shared_ptr<Connection> connection_;
  // Null: nothing is cached.
  std::shared_ptr<LeaseCache> lease_cache_;
};

}  // namespace warmpool

#endif  // WARMPOOL_WARMPOOL_H_
