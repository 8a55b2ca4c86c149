// Channel: buffers that the processes of one user pass on among themselves, for
// a steady stream of them, as between the stages of a pipeline. After its first
// trip a buffer is mapped at both ends and stays so: handing it over is a token
// of 32 bytes in a message of the users' own, with no call to the daemon, no
// system call and no page fault.
//
//   warmpool::Channel frames = client.OpenChannel("frames");
//   warmpool::ChannelBuffer frame = *frames.Lease(16 << 20);   // the sender
//   std::string token = *frame.Give();                         // into the
//   request
//
//   warmpool::ChannelBuffer frame = *frames.Take(token);       // the receiver
//   std::string back = *frame.Give();                          // into the
//   answer
//
// A buffer that is destroyed, not given, stays with its process, for its next
// Lease. So the receiver gives back what the sender is to fill again: otherwise
// the one leases buffers up to its limit, and the other lets them go after
// `idle`.
//
// Every member may write to what it has, and the library trusts the members: a
// token is for one of them, and who has given a buffer must not touch it. That
// is what a channel saves the proof for; Seal and MakeTicket
// (warmpool/buffer.h) prove it each time.
//
// A member that dies, or loses its lease, may have had any buffer that it has
// mapped: those are set aside. Who has one uses it to the end of that use, but
// can't give it; one whose token was on its way may be lost (NOT_FOUND), and so
// are its bytes. Memory is used again once it is proven that nobody has it. The
// channel goes on with others.
//
// A token may never be taken: its receiver died with the message unread, or the
// message was lost. After ChannelOptions::take_within, and 10 s of grace, the
// member that made the buffer ends it, unless another member has it mapped; one
// that only had it mapped for its next trip unmaps it after take_within. The
// memory is used again once it is proven that nobody has it. The token of a
// buffer that was ended is NOT_FOUND. A buffer that was taken is never ended
// for being kept long.
//
// A member makes so many buffers and bytes at a time, and no more; those that
// it gave count until they are ended, whoever has them.
//
// A daemon that restarts changes nothing for what is mapped.
#ifndef WARMPOOL_CHANNEL_H_
#define WARMPOOL_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace warmpool {

class ChannelMember;
struct ChannelSegment;

struct ChannelOptions {
  // A buffer that lies unused here for so long (half a second more at most) is
  // ended, for all members.
  absl::Duration idle = absl::Seconds(2);
  // How long a token that this process gives is good for at least. What nobody
  // takes is ended 11 s after that at most. To be longer than any receiver
  // leaves a message unread. 40 ms at least; infinite: good until the channel
  // is closed.
  absl::Duration take_within = absl::Seconds(30);
  // The most buffers, and bytes of their segments, that this process may have
  // made by Lease: in use here, lying free or given. Lease of more is
  // RESOURCE_EXHAUSTED.
  size_t max_buffers = 1024;
  uint64_t max_bytes = uint64_t{1} << 30;
};

// A buffer that this process has. Move-only; not thread-safe. May outlive its
// Channel, and then ends with its use.
class ChannelBuffer {
 public:
  // Holds nothing.
  ChannelBuffer() = default;
  ~ChannelBuffer() { Drop(); }
  ChannelBuffer(ChannelBuffer&& other) noexcept { *this = std::move(other); }
  ChannelBuffer& operator=(ChannelBuffer&& other) noexcept;

  // The bytes asked for, with what the last user left in them. From 2 MiB up,
  // data() is 2 MiB-aligned. Each process has it at an address of its own.
  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<std::byte> span() { return {data_, size_}; }
  std::span<const std::byte> span() const { return {data_, size_}; }
  bool valid() const { return segment_ != nullptr; }

  // The token by which one other member takes it: 32 bytes of any value. The
  // buffer holds nothing afterwards. FAILED_PRECONDITION: it was set aside; it
  // stays.
  absl::StatusOr<std::string> Give();

 private:
  friend class Channel;
  ChannelBuffer(std::shared_ptr<ChannelMember> member, ChannelSegment* segment);

  void Drop();

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<ChannelMember> member_;
  // The member's.
  ChannelSegment* segment_ = nullptr;
};

// Move-only; thread-safe but for moves. Destroying it lets go of what is not in
// use here. In a forked child every call is FAILED_PRECONDITION.
class Channel {
 public:
  ~Channel();
  Channel(Channel&&) noexcept = default;
  Channel& operator=(Channel&& other) noexcept;

  // A buffer of at least `bytes` bytes: one that lies here, or else from the
  // daemon. INVALID_ARGUMENT: the size, or the channel's name.
  // RESOURCE_EXHAUSTED: the machine is full, or a limit of ChannelOptions is
  // reached: have what was given come back; what was lost with its receiver
  // does by itself.
  absl::StatusOr<ChannelBuffer> Lease(uint64_t bytes);

  // The buffer that another member gave; no limit refuses it. INVALID_ARGUMENT:
  // no token. FAILED_PRECONDITION: it was taken before. NOT_FOUND: it was set
  // aside, or ended as nobody took it in time, and is not mapped here (any
  // more). Who gave a buffer may take it back with the same token, where the
  // message that it was to go in was certainly not sent.
  absl::StatusOr<ChannelBuffer> Take(absl::string_view token);

 private:
  friend class Client;
  explicit Channel(std::shared_ptr<ChannelMember> member)
      : member_(std::move(member)) {}

  // Null once moved from.
  std::shared_ptr<ChannelMember> member_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CHANNEL_H_
