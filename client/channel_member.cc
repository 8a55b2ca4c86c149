#include "client/channel_member.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"

namespace warmpool {

using Where = ChannelSegment::Where;

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
      source_(std::move(source)),
      calls_(*calls),
      clock_(*clock),
      idle_(std::max(options.idle, kMinIdle)),
      fork_(ForkGuard::Get().Mark()),
      ticker_(clock, [this] { return Tick(); }) {}

ChannelMember::~ChannelMember() { Close(); }

absl::Status ChannelMember::CheckProcess() const {
  if (!fork_.Forked()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "channel \"", channel_,
      "\" was opened by the process that this one was forked from"));
}

absl::StatusOr<ChannelSegment*> ChannelMember::Lease(uint64_t bytes) {
  const absl::Status process = CheckProcess();
  if (!process.ok()) return process;
  const absl::StatusOr<SizeClass> size_class = MappedLease::Classes().For(bytes);
  if (size_class.ok()) {
    MutexLock lock(&mutex_);
    if (ChannelSegment* const free = TakeFreeLocked(*size_class)) {
      free->size = bytes;
      return free;
    }
  }
  absl::StatusOr<std::unique_ptr<MappedLease>> lease = Map(AskForLease(bytes));
  if (!lease.ok()) return lease.status();
  const std::optional<RandomId> id =
      ChannelBufferId((*lease)->granted.buffer_name());
  if (!id.has_value()) {
    (*lease)->EndLater();
    return absl::UnimplementedError(
        "this daemon has no channels: install a later one");
  }
  ChannelSegment* added = nullptr;
  {
    MutexLock lock(&mutex_);
    added = AddLocked({*id, /*round=*/0, bytes}, *std::move(lease));
  }
  CheckFromNowOn();
  return added;
}

absl::StatusOr<HeldLease> ChannelMember::AskForLease(uint64_t bytes) {
  v1::LeaseRequest request;
  request.set_size_bytes(bytes);
  request.set_channel(channel_);
  // What is missing may be what lies free here.
  return source_->Lease(std::move(request), [this] { return EndAllFree(); });
}

absl::StatusOr<std::unique_ptr<MappedLease>> ChannelMember::AttachTo(
    const v1::AttachRequest& request) {
  absl::StatusOr<HeldLease> held = source_->Attach(request);
  absl::Status status = held.status();
  if (held.ok()) {
    absl::StatusOr<std::unique_ptr<MappedLease>> lease = Map(*std::move(held));
    status = lease.status();
    // Until it was mapped here its giver's death may have freed it, for somebody
    // else: whoever has the lease after that has the buffer.
    if (lease.ok()) {
      status = source_->Renew((*lease)->granted);
      if (status.ok()) return lease;
      (*lease)->EndLater();
    }
  }
  if (!absl::IsNotFound(status) && !absl::IsFailedPrecondition(status)) {
    return status;
  }
  return absl::NotFoundError(absl::StrCat(
      "channel \"", channel_, "\" has this buffer no more: a member that could "
      "have had it died, or ended it, before it was mapped here (",
      status.message(), ")"));
}

absl::StatusOr<std::unique_ptr<MappedLease>> ChannelMember::Map(
    absl::StatusOr<HeldLease> held) const {
  if (!held.ok()) return held.status();
  return MappedLease::Map(&calls_, source_, *std::move(held));
}

absl::Status ChannelMember::TakenBefore() const {
  return absl::FailedPreconditionError(
      absl::StrCat("the buffer of this token of channel \"", channel_,
                   "\" was taken before: a token is good for one member, once"));
}

absl::StatusOr<ChannelSegment*> ChannelMember::Take(absl::string_view text) {
  const absl::Status process = CheckProcess();
  if (!process.ok()) return process;
  const absl::StatusOr<ChannelToken> token = ChannelToken::Parse(text);
  if (!token.ok()) return token.status();
  {
    MutexLock lock(&mutex_);
    const auto found = segments_.find(token->id);
    if (found != segments_.end()) {
      return TakeMappedLocked(*token, *found->second);
    }
  }
  v1::AttachRequest request;
  request.set_name(ChannelBufferName(channel_, token->id));
  request.set_access(v1::ACCESS_SHARED_WRITABLE);
  absl::StatusOr<std::unique_ptr<MappedLease>> lease = AttachTo(request);
  if (!lease.ok()) return lease.status();
  absl::Status fits = token->CheckSize((*lease)->bytes());
  ChannelSegment* added = nullptr;
  if (fits.ok()) {
    MutexLock lock(&mutex_);
    // Another thread may have come with the same token.
    if (segments_.contains(token->id)) {
      fits = TakenBefore();
    } else {
      added = AddLocked(*token, *std::move(lease));
    }
  }
  if (added == nullptr) {
    (*lease)->EndLater();
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
  const absl::Status fits = token.CheckSize(segment.lease->bytes());
  if (!fits.ok()) return fits;
  segment.where = Where::kInUse;
  segment.round = token.round;
  segment.size = token.size;
  return &segment;
}

absl::StatusOr<std::string> ChannelMember::Give(ChannelSegment* segment) {
  const absl::Status process = CheckProcess();
  if (!process.ok()) return process;
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
    token = ChannelToken{segment->id, ++segment->round, segment->size}.ToText();
    // Nobody here waits for it to come back.
    if (closed_) leaving.push_back(RemoveLocked(segment));
  }
  LetGo(std::move(leaving));
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
      leaving.push_back(RemoveLocked(segment));
    } else {
      segment->where = Where::kFree;
      segment->free_since = clock_.Now();
      free_[segment->lease->size_class()].push_back(segment);
    }
  }
  LetGo(std::move(leaving));
}

void ChannelMember::Close() {
  if (fork_.Forked()) return;
  std::vector<Leaving> leaving;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    leaving = RemoveIfLocked([](const ChannelSegment& segment) {
      return segment.where != Where::kInUse;
    });
  }
  ticker_.Stop();
  LetGo(std::move(leaving));
}

bool ChannelMember::EndAllFree() {
  std::vector<Leaving> leaving;
  {
    MutexLock lock(&mutex_);
    leaving = RemoveIfLocked([](const ChannelSegment& segment) {
      return segment.where == Where::kFree;
    });
  }
  const bool any = !leaving.empty();
  LetGo(std::move(leaving));
  return any;
}

absl::Time ChannelMember::Tick() {
  std::vector<Leaving> leaving;
  const absl::Time now = clock_.Now();
  bool any = false;
  {
    MutexLock lock(&mutex_);
    leaving = RemoveIfLocked([&](const ChannelSegment& segment) {
      if (segment.where == Where::kInUse) return false;
      return segment.lease->has_ended() ||
             (segment.where == Where::kFree &&
              now - segment.free_since >= idle_);
    });
    any = !segments_.empty();
  }
  LetGo(std::move(leaving));
  return any ? now + std::min(kCheckEvery, idle_) : absl::InfiniteFuture();
}

ChannelSegment* ChannelMember::TakeFreeLocked(SizeClass size_class) {
  const auto list = free_.find(size_class);
  if (list == free_.end()) return nullptr;
  const auto fit = std::find_if(
      list->second.rbegin(), list->second.rend(),
      [](const ChannelSegment* free) { return !free->lease->has_ended(); });
  // What was set aside, Tick lets go of.
  if (fit == list->second.rend()) return nullptr;
  ChannelSegment* const segment = *fit;
  list->second.erase(std::next(fit).base());
  segment->where = Where::kInUse;
  return segment;
}

ChannelSegment* ChannelMember::AddLocked(const ChannelToken& token,
                                         std::unique_ptr<MappedLease> lease) {
  auto segment = std::make_unique<ChannelSegment>();
  segment->id = token.id;
  segment->lease = std::move(lease);
  segment->round = token.round;
  segment->size = token.size;
  return segments_.emplace(token.id, std::move(segment)).first->second.get();
}

ChannelMember::Leaving ChannelMember::RemoveLocked(ChannelSegment* segment) {
  if (segment->where == Where::kFree) {
    std::vector<ChannelSegment*>& list = free_[segment->lease->size_class()];
    list.erase(std::find(list.begin(), list.end(), segment));
  }
  // Who has it ends it for all; what is away is another's to end.
  Leaving leaving{std::move(segment->lease),
                  /*for_all_members=*/segment->where != Where::kAway};
  segments_.erase(segment->id);
  return leaving;
}

template <typename Predicate>
std::vector<ChannelMember::Leaving> ChannelMember::RemoveIfLocked(
    Predicate predicate) {
  std::vector<ChannelSegment*> chosen;
  for (const auto& [id, segment] : segments_) {
    if (predicate(*segment)) chosen.push_back(segment.get());
  }
  std::vector<Leaving> leaving;
  for (ChannelSegment* const segment : chosen) {
    leaving.push_back(RemoveLocked(segment));
  }
  return leaving;
}

void ChannelMember::LetGo(std::vector<Leaving> leaving) {
  for (const Leaving& one : leaving) one.lease->EndLater(one.for_all_members);
}

void ChannelMember::CheckFromNowOn() {
  ticker_.CallBy(clock_.Now() + std::min(kCheckEvery, idle_));
  ticker_.Start();
}

}  // namespace warmpool
