#include "client/channels/channel_member.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/random_id.h"
#include "core/base/status_macros.h"
#include "core/memory/size_class.h"

namespace warmpool {

using Where = ChannelSegment::Where;

namespace {

// Where another member has a lease on what is away, it is looked at again after
// this part of take_within: that member may have been about to end it.
constexpr int kLookAgainFraction = 4;

// Where nobody has, it is looked at again after so long, or take_within if that
// is shorter: a member that had it may have given it and closed its channel
// just before. As long as the daemon keeps a buffer that no member has a lease
// on.
constexpr absl::Duration kGrace = absl::Seconds(10);

// Whether nobody else has a lease on the buffer of `own`. Of one that is not
// listed the daemon has told that it ended, or is about to.
bool IsAlone(const v1::GrantedLease& own,
             const LeaseSource::LeasesByBuffer& leases) {
  const auto found = leases.find(own.buffer_name());
  return found != leases.end() &&
         found->second == std::vector<std::string>{own.lease_id()};
}

}  // namespace

std::shared_ptr<ChannelMember> ChannelMember::Make(
    std::string channel, std::shared_ptr<LeaseSource> source,
    SystemCalls* calls, const Clock* clock, const Options& options) {
  return std::shared_ptr<ChannelMember>(
      new ChannelMember(std::move(channel), std::move(source), calls, clock,
                        options),
      [](ChannelMember* unused) {
        // Its thread was not forked, and its locks may be held for ever.
        if (unused->CheckProcess().ok()) delete unused;
      });
}

ChannelMember::ChannelMember(std::string channel,
                             std::shared_ptr<LeaseSource> source,
                             SystemCalls* calls, const Clock* clock,
                             const Options& options)
    : channel_(std::move(channel)),
      leases_(channel_, std::move(source), calls),
      clock_(*clock),
      idle_(std::max(options.idle, kMinIdle)),
      take_within_(std::max(options.take_within, kMinIdle)),
      fork_(ForkGuard::Get().Mark()),
      table_(ChannelBudget(channel_, options.limits)),
      ticker_(clock, [this] { return Tick(); }) {}

ChannelMember::~ChannelMember() { Close(); }

absl::Status ChannelMember::CheckProcess() const {
  if (!fork_.Forked()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "channel \"", channel_,
      "\" was opened by the process that this one was forked from"));
}

absl::StatusOr<ChannelSegment*> ChannelMember::Lease(uint64_t bytes) {
  RETURN_IF_ERROR(CheckProcess());
  ASSIGN_OR_RETURN(const SizeClass size_class,
                   MappedLease::Classes().For(bytes));
  {
    MutexLock lock(&mutex_);
    if (ChannelSegment* const free = table_.TakeFree(size_class)) {
      free->size = bytes;
      return free;
    }
  }
  RETURN_IF_ERROR(ticker_.Prepare());
  const uint64_t segment_bytes = MappedLease::Classes().Bytes(size_class);
  RETURN_IF_ERROR(Reserve(segment_bytes));
  absl::StatusOr<std::unique_ptr<MappedLease>> lease =
      leases_.Make(bytes, [this] { return EndAllFree(); });
  ChannelSegment* added = nullptr;
  {
    MutexLock lock(&mutex_);
    if (lease.ok()) {
      const RandomId id = *ChannelBufferId((*lease)->granted.buffer_name());
      added = table_.Add({id, /*round=*/0, bytes}, *std::move(lease),
                         segment_bytes);
    } else {
      table_.budget().GiveBack(segment_bytes);
    }
  }
  if (added == nullptr) return lease.status();
  CheckFromNowOn();
  return added;
}

absl::Status ChannelMember::Reserve(uint64_t segment_bytes) {
  std::vector<Leaving> leaving;
  absl::Status reserved;
  {
    MutexLock lock(&mutex_);
    reserved = table_.budget().Take(segment_bytes);
    if (!reserved.ok()) {
      // Those of other sizes, or the request would have been served by one.
      leaving = table_.RemoveIf([](const ChannelSegment& segment) {
        return segment.where == Where::kFree && segment.made_bytes > 0;
      });
      if (!leaving.empty()) reserved = table_.budget().Take(segment_bytes);
    }
  }
  Detach(std::move(leaving));
  return reserved;
}

absl::Status ChannelMember::TakenBefore() const {
  return absl::FailedPreconditionError(absl::StrCat(
      "the buffer of this token of channel \"", channel_,
      "\" was taken before: a token is good for one member, once"));
}

absl::StatusOr<ChannelSegment*> ChannelMember::Take(absl::string_view text) {
  RETURN_IF_ERROR(CheckProcess());
  ASSIGN_OR_RETURN(const ChannelToken token, ChannelToken::Parse(text));
  {
    MutexLock lock(&mutex_);
    if (ChannelSegment* const found = table_.Find(token.id)) {
      return TakeMappedLocked(token, *found);
    }
  }
  RETURN_IF_ERROR(ticker_.Prepare());
  ASSIGN_OR_RETURN(std::unique_ptr<MappedLease> lease,
                   leases_.Attach(token.id));
  absl::Status fits = token.CheckSize(lease->bytes());
  ChannelSegment* added = nullptr;
  if (fits.ok()) {
    MutexLock lock(&mutex_);
    // Another thread may have come with the same token.
    if (table_.Find(token.id) != nullptr) {
      fits = TakenBefore();
    } else {
      added = table_.Add(token, std::move(lease), /*made_bytes=*/0);
    }
  }
  if (added == nullptr) {
    lease->EndLater();
    return fits;
  }
  CheckFromNowOn();
  return added;
}

absl::StatusOr<ChannelSegment*> ChannelMember::TakeMappedLocked(
    const ChannelToken& token, ChannelSegment& segment) const {
  if (segment.where != Where::kAway || token.round < segment.round) {
    return TakenBefore();
  }
  RETURN_IF_ERROR(token.CheckSize(segment.lease->bytes()));
  segment.where = Where::kInUse;
  segment.round = token.round;
  segment.size = token.size;
  return &segment;
}

absl::StatusOr<std::string> ChannelMember::Give(ChannelSegment* segment) {
  RETURN_IF_ERROR(CheckProcess());
  std::vector<Leaving> leaving;
  std::string token;
  {
    MutexLock lock(&mutex_);
    if (segment->lease->has_ended()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the buffer was set aside, as a member of channel \"", channel_,
          "\" that could have had it is gone: copy it to another"));
    }
    segment->where = Where::kAway;
    segment->look_at = clock_.Now() + take_within_;
    segment->alone = false;
    token = ChannelToken{segment->id, ++segment->round, segment->size}.ToText();
    // Nobody here waits for it to come back.
    if (closed_) leaving.push_back(table_.Remove(segment));
  }
  Detach(std::move(leaving));
  return token;
}

void ChannelMember::PutBack(ChannelSegment* segment) {
  if (fork_.Forked()) {
    segment->lease->EndLater();
    return;
  }
  std::vector<Leaving> leaving;
  {
    MutexLock lock(&mutex_);
    if (closed_ || segment->lease->has_ended()) {
      leaving.push_back(table_.Remove(segment));
    } else {
      table_.PutFree(segment, clock_.Now());
    }
  }
  Detach(std::move(leaving));
}

void ChannelMember::Close() {
  if (fork_.Forked()) return;
  std::vector<Leaving> leaving;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    leaving = table_.RemoveIf([](const ChannelSegment& segment) {
      return segment.where != Where::kInUse;
    });
  }
  ticker_.Stop();
  Detach(std::move(leaving));
}

bool ChannelMember::EndAllFree() {
  std::vector<Leaving> leaving;
  {
    MutexLock lock(&mutex_);
    leaving = table_.RemoveIf([](const ChannelSegment& segment) {
      return segment.where == Where::kFree;
    });
  }
  const bool any = !leaving.empty();
  Detach(std::move(leaving));
  return any;
}

absl::Time ChannelMember::Tick() {
  std::vector<Leaving> leaving;
  const absl::Time now = clock_.Now();
  bool look = false;
  {
    MutexLock lock(&mutex_);
    leaving = table_.RemoveIf([&](const ChannelSegment& segment) {
      if (segment.where == Where::kInUse) return false;
      if (segment.lease->has_ended()) return true;
      if (segment.where == Where::kFree) {
        return now - segment.free_since >= idle_;
      }
      const bool overdue = IsOverdue(segment, now);
      look |= overdue && segment.made_bytes > 0;
      // A lease of this process's alone: who has the buffer has another.
      return overdue && segment.made_bytes == 0;
    });
  }
  Detach(std::move(leaving));
  if (look) EndLost(now);
  MutexLock lock(&mutex_);
  return table_.empty() ? absl::InfiniteFuture() : now + check_every();
}

void ChannelMember::EndLost(absl::Time now) {
  const absl::StatusOr<LeaseSource::LeasesByBuffer> leases = leases_.List();
  std::vector<Leaving> leaving;
  {
    MutexLock lock(&mutex_);
    leaving = table_.RemoveIf([&](ChannelSegment& segment) {
      // What came back and was given again meanwhile is not: the list may be
      // older than that.
      if (segment.made_bytes == 0 || !IsOverdue(segment, now)) return false;
      const bool was_alone = std::exchange(
          segment.alone,
          leases.ok() && IsAlone(segment.lease->granted, *leases));
      segment.look_at =
          clock_.Now() + (segment.alone ? std::min(take_within_, kGrace)
                                        : take_within_ / kLookAgainFraction);
      return segment.alone && was_alone;
    });
  }
  // Also for a member that maps it at this moment: its token was late.
  for (Leaving& one : leaving) one.for_all_members = true;
  Detach(std::move(leaving));
}

bool ChannelMember::IsOverdue(const ChannelSegment& segment,
                              absl::Time now) const {
  return segment.where == Where::kAway && segment.look_at <= now;
}

absl::Duration ChannelMember::check_every() const {
  return std::min({kCheckEvery, idle_, take_within_});
}

void ChannelMember::Detach(std::vector<Leaving> leaving) {
  for (const Leaving& one : leaving) one.lease->EndLater(one.for_all_members);
}

void ChannelMember::CheckFromNowOn() {
  ticker_.CallBy(clock_.Now() + check_every());
  ticker_.Start();
}

}  // namespace warmpool
