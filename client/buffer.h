// Buffer: a leased buffer, mapped in this process.
#ifndef WARMPOOL_CLIENT_BUFFER_H_
#define WARMPOOL_CLIENT_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace warmpool {

// How much was already paid for a buffer's pages.
enum class BufferWarmth {
  kWarm,
  kStock,
  kFresh,
};

// Move-only. Destroying it releases the lease; data() is invalid from then on.
// Not thread-safe, but its bytes are whosever the owner says. In a forked child
// destroying it only unmaps: the lease is the parent's.
class Buffer {
 public:
  // Holds nothing; only destroying and assigning it make sense.
  Buffer();
  ~Buffer();
  Buffer(Buffer&&) noexcept;
  Buffer& operator=(Buffer&&) noexcept;

  // The bytes asked for. From 2 MiB up, data() is 2 MiB-aligned.
  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<std::byte> span() { return {data_, size_}; }
  std::span<const std::byte> span() const { return {data_, size_}; }

  // For others to attach by.
  const std::string& name() const;
  // 16 raw bytes.
  const std::string& lease_id() const;
  uint64_t generation() const;
  // False for one attached read-only: writing to it is a SIGSEGV.
  bool writable() const;
  BufferWarmth warmth() const;
  // Every byte read as zero when the buffer was leased.
  bool zeroed() const;
  // Bytes of one page, and bytes mapped.
  size_t page_size() const;
  size_t mapped_size() const;
  // Time to live granted. Zero: as long as this process lives.
  absl::Duration ttl() const;
  // Whether it holds a lease: until Release or a move. (The daemon may have
  // ended the lease meanwhile; the mapping stays.)
  bool valid() const { return lease_ != nullptr; }

  // Gives the lease a full time to live from this moment. NOT_FOUND,
  // FAILED_PRECONDITION, PERMISSION_DENIED: the lease has ended (expired,
  // revoked, or a daemon that started anew did not take it up); the mapping
  // stays until the release.
  absl::Status Renew();

  // Unmaps, then releases; the destructor does the same and drops the status.
  // Waits for a daemon that is away, until the client's deadline, unless that
  // daemon has been silent before. FAILED_PRECONDITION: the lease had ended
  // before, expired or revoked. The buffer holds nothing afterwards, whatever
  // the status: if the release did not reach the daemon, the library repeats it
  // once the daemon is back, or the lease ends with its time to live or with
  // this process.
  absl::Status Release();

 private:
  friend class Client;
  struct Lease;
  explicit Buffer(std::unique_ptr<Lease> lease);

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::unique_ptr<Lease> lease_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_BUFFER_H_
