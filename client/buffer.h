// Buffer: a leased buffer, mapped in this process.
#ifndef WARMPOOL_BUFFER_H_
#define WARMPOOL_BUFFER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace warmpool {

struct MappedLease;

// How much was already paid for a buffer's pages.
enum class BufferWarmth {
  kWarm,
  kStock,
  kFresh,
};

struct SealOptions {
  // For how long the buffer is kept once its sealer's lease has ended
  // (released, or its process is gone), for those who attach to it later.
  absl::Duration linger = absl::ZeroDuration();
  // Other users, and groups, whose processes may attach to it too: 16 of each
  // at most, where a root daemon serves them. FAILED_PRECONDITION where the
  // daemon serves its own uid alone.
  std::vector<uid_t> share_with_uids = {};
  std::vector<gid_t> share_with_gids = {};
};

struct TicketOptions {
  // How long the ticket is good for. INVALID_ARGUMENT above the daemon's
  // --max_ttl.
  absl::Duration ttl = absl::Seconds(30);
};

// Move-only. Destroying it gives the lease back; data() is invalid from then
// on. The client's lease cache keeps it for this process's next Lease, unless
// the lease has a name of its own, a ttl of its own, was attached, or somebody
// asked for its name(): then the daemon has it back. Not thread-safe, but its
// bytes are whosever the owner says. In a forked child destroying it only
// unmaps: the lease is the parent's.
class Buffer {
 public:
  // Holds nothing; only destroying and assigning it make sense.
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        lease_(std::move(other.lease_)) {}
  Buffer& operator=(Buffer&& other) noexcept;

  // The bytes asked for. From 2 MiB up, data() is 2 MiB-aligned.
  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<std::byte> span() { return {data_, size_}; }
  std::span<const std::byte> span() const { return {data_, size_}; }

  // For others to attach by. Whose name was asked for is taken to be shared:
  // the lease cache does not keep it, since others may still read or write it.
  // Where the lease cache gave a buffer that was another size before, the first
  // call tells the daemon of size(), and waits for its answer, until the
  // client's deadline at most.
  const std::string& name() const;
  // 16 raw bytes. A buffer that the lease cache kept has the lease that it had
  // before.
  const std::string& lease_id() const;
  uint64_t generation() const;
  // False for a sealed one: writing to it is a SIGSEGV.
  bool writable() const;
  BufferWarmth warmth() const;
  // Every byte read as zero when the buffer was leased. Never of one that the
  // lease cache kept.
  bool zeroed() const;
  // Bytes of one page, and bytes mapped.
  size_t page_size() const;
  size_t mapped_size() const;
  // Time to live granted. Zero: as long as this process lives.
  absl::Duration ttl() const;
  // Whether it holds a lease: until Release or a move. (The daemon may have
  // ended the lease meanwhile; the mapping stays.)
  bool valid() const { return lease_ != nullptr; }

  // After this no process can write to the buffer, not even its own (a
  // write is a SIGSEGV in the writer), and others can attach to it for reading;
  // data() stays where it is. No other process may have it mapped for writing.
  // FAILED_PRECONDITION: one has, or has a lease on it; the buffer is as it was
  // before. UNAVAILABLE, DEADLINE_EXCEEDED: the daemon's answer is missing, and
  // the buffer can't be written to any more; call it again.
  // What the owning uid, or root, do on purpose is not kept out, nor are pages
  // that were pinned (io_uring, vmsplice) before.
  absl::Status Seal(SealOptions options = {});
  bool sealed() const;

  // Unmaps the buffer and turns its lease into a ticket of 16 random bytes, for
  // this process to send to another: by Client::Claim that becomes the only
  // holder, and may write. The buffer holds nothing afterwards. The ticket is
  // good for one claim, and outlives this process. FAILED_PRECONDITION: the
  // buffer is sealed, or others have leases on it; it stays, renewed, though
  // data() may have moved. Or the lease has ended: the buffer holds nothing.
  // UNAVAILABLE, DEADLINE_EXCEEDED: the daemon's answer is missing; the buffer
  // holds nothing, and goes back to the daemon.
  absl::StatusOr<std::string> MakeTicket(TicketOptions options = {});

  // Gives the lease a full time to live from this moment. NOT_FOUND,
  // FAILED_PRECONDITION, PERMISSION_DENIED: the lease has ended (expired,
  // revoked, or a daemon that started anew did not take it up); the mapping
  // stays until the release.
  absl::Status Renew();

  // Gives the buffer to the lease cache, which is OK at once; or, if that must
  // not keep it (see above), unmaps, then releases. The destructor does the
  // same, but does not wait for the daemon's answer. Release waits for a daemon
  // that is away, until the client's deadline, unless that daemon has been
  // silent before. FAILED_PRECONDITION: the lease had ended before, expired or
  // revoked. The buffer holds nothing afterwards, whatever the status: if the
  // release did not reach the daemon, the library repeats it once the daemon is
  // back, or the lease ends with its time to live or with this process.
  absl::Status Release();

 private:
  friend class Client;
  // Owns `lease`. `size` is what was asked for.
  Buffer(MappedLease* lease, std::byte* data, size_t size)
      : data_(data), size_(size), lease_(lease) {}

  // Gives the lease back.
  struct GiveBack {
    void operator()(MappedLease* lease) const;
  };

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::unique_ptr<MappedLease, GiveBack> lease_;
};

}  // namespace warmpool

#endif  // WARMPOOL_BUFFER_H_
