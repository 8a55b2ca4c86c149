// ChannelMember: what one process has of a channel: which of the channel's
// buffers it has mapped, and which of these it may use. The mappings stay while
// the buffers go from member to member, so that a hand-over is a few bytes in a
// message of the users' own: no call, no system call, no fault.
//
//   Lease ──► in use ──► Give: away ──► Take (it came back) ──► in use
//               │  ▲              │
//       PutBack ▼  │ Lease        └──► away for too long: let go of (below)
//              free ──► idle for too long: ended, for all members
//
// A token may be lost: its receiver died, or the message did not arrive. Nobody
// tells, so what is away for `take_within` is looked at. A member that did not
// make the buffer ends its own lease: it only had it mapped for the next trip.
// The one that made it asks the daemon who has leases on it; where nobody else
// has, twice in a row, no member can have the buffer, and it is ended for all.
// So what a member uses, however slowly, is never ended, and counts as its
// maker's until it is.
//
// A buffer whose lease the daemon ended (a member that could have had it died)
// is set aside: it is used to the end of this use, and never again. Only a
// buffer whose lease lives after it was mapped is taken, since until then it
// may have become somebody else's.
//
// Thread-safe. Its lock is held for book-keeping only, over no call to the
// daemon and no system call. In a forked child every method returns
// FAILED_PRECONDITION, or unmaps what is put back and does no more: the leases
// are the parent's.
#ifndef WARMPOOL_CLIENT_CHANNELS_CHANNEL_MEMBER_H_
#define WARMPOOL_CLIENT_CHANNELS_CHANNEL_MEMBER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/channels/channel_budget.h"
#include "client/channels/channel_leases.h"
#include "client/channels/channel_table.h"
#include "client/channels/channel_token.h"
#include "client/leases/lease_source.h"
#include "client/leases/mapped_lease.h"
#include "client/leases/ticker.h"
#include "client/rpc/fork_guard.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

class ChannelMember {
 public:
  struct Options {
    // What lies free for so long is ended, kCheckEvery later at most. At least
    // kMinIdle, as the next.
    absl::Duration idle = absl::Seconds(2);
    // What is away for so long is let go of (see above).
    absl::Duration take_within = absl::Seconds(30);
    // Of what this process made.
    ChannelBudget::Limits limits = {};
  };

  static constexpr absl::Duration kMinIdle = absl::Milliseconds(40);

  // How long a buffer that was set aside stays mapped here at most, once it is
  // not in use.
  static constexpr absl::Duration kCheckEvery = absl::Milliseconds(500);

  // `calls` and `clock` must outlive it. It lives until the channel is closed
  // and every buffer is back; in a forked child, for ever.
  static std::shared_ptr<ChannelMember> Make(
      std::string channel, std::shared_ptr<LeaseSource> source,
      SystemCalls* calls, const Clock* clock, const Options& options);

  // A buffer of at least `bytes` bytes, in use from here on. Errors as the RPC
  // Lease has them, and RESOURCE_EXHAUSTED: a limit of the options.
  absl::StatusOr<ChannelSegment*> Lease(uint64_t bytes);
  // The one that a token stands for. INVALID_ARGUMENT: it is no token.
  // FAILED_PRECONDITION: it was taken before. Else as the RPC Attach.
  absl::StatusOr<ChannelSegment*> Take(absl::string_view token);
  // The token for another member, whose it is from here on.
  // FAILED_PRECONDITION: it was set aside; it stays in use here.
  absl::StatusOr<std::string> Give(ChannelSegment* segment);
  // Ends its use.
  void PutBack(ChannelSegment* segment);

  // Lets go of what is not in use, and of the rest as soon as it is put back.
  void Close();

 private:
  ChannelMember(std::string channel, std::shared_ptr<LeaseSource> source,
                SystemCalls* calls, const Clock* clock, const Options& options);
  // Waits for its thread.
  ~ChannelMember();

  using Leaving = ChannelTable::Leaving;

  // Lets go of what is idle, was set aside or is lost; returns when to come
  // back.
  absl::Time Tick();
  // Of what was made here and was to be looked at by `now`.
  void EndLost(absl::Time now);
  bool IsOverdue(const ChannelSegment& segment, absl::Time now) const;
  absl::Duration check_every() const;
  absl::Status CheckProcess() const;
  absl::Status TakenBefore() const;
  // Of one that is mapped here.
  absl::StatusOr<ChannelSegment*> TakeMappedLocked(
      const ChannelToken& token, ChannelSegment& segment) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: nothing was free.
  bool EndAllFree();
  // Takes the bytes of the budget, ending what lies free where they do not fit.
  absl::Status Reserve(uint64_t segment_bytes);
  static void Detach(std::vector<Leaving> leaving);
  // Tick is called again and again while there is a buffer.
  void CheckFromNowOn();

  const std::string channel_;
  const ChannelLeases leases_;
  const Clock& clock_;
  const absl::Duration idle_;
  const absl::Duration take_within_;
  const ForkMark fork_;

  Mutex mutex_;
  ChannelTable table_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  // Last: its thread calls Tick.
  Ticker ticker_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CHANNELS_CHANNEL_MEMBER_H_
